import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Surroundings } from './choice.ts';
import { readJson, writeJson } from './files.ts';
import { lastLine } from './processes.ts';

/** How long nothing may come from the network before this way is given up; a download that moves may take its time. */
const SILENCE_MS = 10_000;
/** A refusal is not tried again on every start, but a machine may get a network. */
const REFUSAL_HOLDS_MS = 24 * 3_600_000;

interface RefusedDownload {
  at: number;
  reason: string;
}

type Found = { file: string } | { refused: string };

/** A mongod from the caches of mongodb-memory-server, or downloaded by it: one try a day. */
export async function locateMongod({ env, toolsDir, log }: Surroundings): Promise<Found> {
  const memory = join(toolsDir, 'mongod-refused.json');
  const refusal = readJson<RefusedDownload>(memory);
  if (refusal && Date.now() - refusal.at < REFUSAL_HOLDS_MS)
    return { refused: `${refusal.reason} (tried before; delete ${memory} to try again)` };
  const found = await askMemoryServer(env, () => log('downloading a mongod (mongodb-memory-server, once)'));
  if ('refused' in found) writeJson(memory, { at: Date.now(), reason: found.refused } satisfies RefusedDownload);
  return found;
}

function askMemoryServer(env: NodeJS.ProcessEnv, onDownload: () => void): Promise<Found> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [fileURLToPath(new URL('./mongod-binary.ts', import.meta.url))], {
      cwd: import.meta.dirname,
      env: { MONGOMS_MAX_RETRIES: '0', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let [out, err] = ['', ''];
    const silence = setTimeout(() => child.kill('SIGKILL'), SILENCE_MS);
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (out === '' && text.includes('%')) onDownload();
      clearTimeout(silence);
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.on('error', (error) => (err = error.message));
    child.on('close', (code, killed) => {
      clearTimeout(silence);
      if (code === 0) resolve({ file: lastLine(out) });
      else resolve({ refused: killed ? `nothing came for ${SILENCE_MS / 1000} s` : lastLine(err) });
    });
  });
}
