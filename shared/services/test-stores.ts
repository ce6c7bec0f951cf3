import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mongodb } from './mongodb.ts';
import { openServices } from './services.ts';

/* `npm run test:stores [-- FILES]`: runs the tests on every store that is on this machine, one after the other, and says which those were. */

const JEST = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules', 'node_modules/jest/bin/jest.js'];

/** Name and version of a store, when it is there and starts. */
async function engineOf(store: string): Promise<string | undefined> {
  const dataDir = mkdtempSync(join(tmpdir(), 'soko-store-'));
  try {
    const services = await openServices({ dataDir, env: { ...process.env, MONGODB_URI: '', SOKO_STORE: store }, log: () => undefined });
    await services.close();
    return services.mongodb.engine;
  } catch {
    return undefined;
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

const outcomes: string[] = [];
for (const { key } of mongodb.links) {
  const engine = key && (await engineOf(key));
  if (!key) continue;
  if (!engine) {
    outcomes.push(`${key}: not on this machine`);
    continue;
  }
  console.log(`\n== tests on ${engine} ==\n`);
  const env = { ...process.env, MONGODB_URI: '', SOKO_STORE: key };
  const [code] = (await once(spawn(process.execPath, [...JEST, ...process.argv.slice(2)], { stdio: 'inherit', env }), 'exit')) as [number];
  outcomes.push(`${key}: ${engine}, ${code === 0 ? 'all passed' : 'FAILED'}`);
  if (code !== 0) process.exitCode = 1;
}
console.log(`\n${outcomes.join('\n')}`);
