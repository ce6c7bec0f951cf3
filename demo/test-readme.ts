import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = join(import.meta.dirname, '..');
/** Where the README says the market is. */
const WRITTEN = 'http://127.0.0.1:4000/graphql';
const PATIENCE_MS = 30_000;

const readme = readFileSync(join(ROOT, 'README.md'), 'utf8');

const blocks = (language: string): string[] =>
  [...readme.matchAll(new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'gms'))].map(([, code]) => code!);

/** The operations of the README by their names. */
export const readmeOperations = (): Map<string, string> =>
  new Map(blocks('graphql').map((code) => [/^\w+ (\w+)/.exec(code)?.[1] ?? '', code]));

/** The program of "Write a client", as it stands there but for the address. */
export interface ReadmeClient {
  /** The first line that it prints with these words; lines before it are passed over. */
  line(words: string): Promise<string>;
  end(): Promise<void>;
}

export function runReadmeClient(http: string): ReadmeClient {
  // Inside the project, so that its packages are found.
  const folder = join(ROOT, '.data');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `readme-client-${process.pid}.mjs`);
  writeFileSync(file, blocks('js')[0]!.replace(WRITTEN, http));
  const child = spawn(process.execPath, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async line(words) {
      const signal = AbortSignal.timeout(PATIENCE_MS);
      signal.addEventListener('abort', () => child.kill());
      for (;;) {
        const { value, done } = (await lines.next()) as IteratorResult<string>;
        if (done) throw new Error(`The program of the README ended before it printed ${words}`);
        if (value.includes(words)) return value;
      }
    },
    async end() {
      await ended(child);
      rmSync(file, { force: true });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill();
  await exit;
}
