import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { subgraphParts, type Part } from './subgraph-parts.ts';

interface Outcome {
  failed: boolean;
  ms: number;
  output: string;
}

interface CheckOptions {
  /** Default: this project. */
  folder?: string;
  /** Default 2: what a small machine carries. */
  atOnce?: number;
  say(text: string): void;
}

const ROOT = join(import.meta.dirname, '..');
/** Scripts of package.json, the slowest first so that the two lanes end together; each also runs alone, by `npm run <name>`. */
const SCRIPTS = ['types', 'lint', 'rules', 'composition', 'unused', 'architecture', 'format'];

/** Runs all parts whatever becomes of the others. Says one line for each, and what a part printed only when it failed; true when none did. */
export async function check(parts: readonly Part[], { folder = ROOT, atOnce = 2, say }: CheckOptions): Promise<boolean> {
  const width = Math.max(...parts.map(({ name }) => name.length));
  const waiting = [...parts];
  let allPassed = true;
  const lane = async (): Promise<void> => {
    for (let part = waiting.shift(); part; part = waiting.shift()) {
      const { failed, ms, output } = await run(part.command, folder);
      allPassed &&= !failed;
      say(`${part.name.padEnd(width)}  ${failed ? 'FAILED' : 'ok    '}  ${(ms / 1_000).toFixed(1)} s\n${failed ? indented(output) : ''}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return allPassed;
}

/** Standard and error output come back together, in the order they were written. */
function run(command: string, folder: string): Promise<Outcome> {
  const since = performance.now();
  // The project's own Node and tools go before those of the machine, also when this was not started by npm.
  const env = { ...process.env, PATH: [join(ROOT, 'node_modules/.bin'), process.env.PATH].join(delimiter) };
  return new Promise((done) => {
    let output = '';
    const child = spawn(command, { cwd: folder, env, shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
    child.on('error', (error) => (output += error.message));
    child.on('close', (code) => done({ failed: code !== 0, ms: performance.now() - since, output }));
  });
}

/** Without colours: some tools paint whenever CI is set, whether somebody looks or a file is written. */
const indented = (output: string): string =>
  `${stripVTControlCharacters(output)
    .trimEnd()
    .replaceAll(/^(?=.)/gm, '  ')}\n`;

/** The parts as package.json has them, so that there is one place that says what each runs. */
export function readParts(root: string = ROOT): Part[] {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  return SCRIPTS.map((name) => {
    const command = scripts[name];
    if (!command) throw new Error(`package.json has no script ${name}, which the check runs.`);
    return { name, command };
  });
}

if (import.meta.main) {
  const [name] = process.argv.slice(2);
  try {
    const passed = await check(name === undefined ? readParts() : subgraphParts(ROOT, name), {
      say: (text) => void process.stdout.write(text),
    });
    process.exitCode = passed ? 0 : 1;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    process.exitCode = 1;
  }
}
