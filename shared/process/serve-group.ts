import { join } from 'node:path';
import { serveProcess } from './serve-process.ts';
import { readRoverConfig } from './rover-config.ts';
import { exitWithParent } from './exit-with-parent.ts';
import { runStart, StartError } from '../base/start-error.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';

/* `npm run subgraph -- one`, `npm run group -- one two`: these subgraphs in one process, each on its own port. */

const ROOT = join(import.meta.dirname, '../..');

async function start(names: string[]): Promise<void> {
  const known = readRoverConfig(ROOT).map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new StartError(`There is no subgraph ${unknown.join(', ')}. Known: ${known.join(', ')}.`);
  if (names.length === 0) throw new StartError(`Name the subgraphs to run in this process: ${known.join(', ')}.`);
  const subgraphs = await Promise.all(
    names.map(async (name) => ((await import(join(ROOT, 'subgraphs', name, 'subgraph.ts'))) as { subgraph: Subgraph }).subgraph),
  );
  await serveProcess(...subgraphs);
}

exitWithParent();
await runStart(() => start(process.argv.slice(2)));
