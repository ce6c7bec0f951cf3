import { accessSync, chmodSync, constants, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StartError } from './start-error.ts';

const ROOT = join(import.meta.dirname, '../..');
const ONLY_OWNER = 0o700;
const NOT_OWNER = 0o077;

/** The folder of everything that a start on this machine writes: SOKO_DATA, otherwise `.data` beside the code. */
export const dataFolder = (): string => resolve(process.env['SOKO_DATA'] || join(ROOT, '.data'));

/** Programs that are installed to run stores. SOKO_TOOLS lets several data folders share one installation. */
export const toolsFolder = (): string => resolve(process.env['SOKO_TOOLS'] || join(dataFolder(), 'tools'));

/**
 * Makes the data folder. It holds password hashes, tokens and private documents, so it and every file that this process and its children
 * write from now on are closed to other users of the machine.
 */
export function openDataFolder(): string {
  const folder = dataFolder();
  process.umask(NOT_OWNER);
  try {
    mkdirSync(folder, { recursive: true, mode: ONLY_OWNER });
    accessSync(folder, constants.W_OK);
    chmodSync(folder, ONLY_OWNER);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new StartError(`${folder} cannot be written (${code}). Set SOKO_DATA to a folder that can be written.`, { cause: error });
  }
  return folder;
}
