import { homedir } from 'node:os';
import { join } from 'node:path';
import { findOnPath, isExecutable } from './processes.ts';

export const RUST_STORE = { crate: 'secantus-mdb', version: '0.5.3-beta.196', program: 'secantusd-rs' };

/** Folder of `npm run store`. It is outside every clone: one build serves all of them and outlives them. */
export function rustStoreFolder(env: NodeJS.ProcessEnv): string {
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'soko', `${RUST_STORE.crate}-${RUST_STORE.version}`);
}

/** The program on PATH, or the one that `npm run store` built. */
export function findRustStore(env: NodeJS.ProcessEnv): string | undefined {
  const built = join(rustStoreFolder(env), 'bin', RUST_STORE.program);
  return findOnPath(RUST_STORE.program, env) ?? (isExecutable(built) ? built : undefined);
}
