import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT, scriptOf } from '../script.ts';

const PATIENCE_MS = 180_000;
const POLL_MS = 50;

/** `npm start` with data of its own. */
export interface RunningMarket {
  http: string;
  users: Record<string, { email: string; password: string }>;
  /** PEM of the key that access tokens are signed with. */
  tokenKey: string;
  stop(): Promise<void>;
}

export async function startMarket(flags: string[]): Promise<RunningMarket> {
  const data = mkdtempSync(join(tmpdir(), 'soko-overload-'));
  const { options, file: script } = scriptOf('start');
  const env = { ...process.env, SOKO_DATA: data, MONGODB_URI: '', REDIS_URL: '' };
  const child = spawn(process.execPath, [...options, script, '--port', '0', ...flags], {
    cwd: ROOT,
    env,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const file = join(data, 'demo.json');
  const until = performance.now() + PATIENCE_MS;
  while (!existsSync(file)) {
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}`);
    if (performance.now() > until) throw new Error('npm start did not become ready');
    await delay(POLL_MS);
  }
  const demo = JSON.parse(readFileSync(file, 'utf8')) as Pick<RunningMarket, 'http' | 'users'>;
  const secrets = JSON.parse(readFileSync(join(data, 'secrets.json'), 'utf8')) as { ACCESS_TOKEN_PRIVATE_KEY: string };
  return {
    ...demo,
    tokenKey: secrets.ACCESS_TOKEN_PRIVATE_KEY,
    async stop() {
      const ended = once(child, 'exit');
      child.kill('SIGTERM');
      await ended;
      rmSync(data, { recursive: true, force: true });
    },
  };
}
