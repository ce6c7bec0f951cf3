import { join } from 'node:path';
import { serveAlone } from './alone.ts';
import { endWithParent } from './parent.ts';
import type { Subgraph } from './subgraph.ts';

/* `node shared/group.ts one two three` runs these subgraphs in one process, each on its own port. */

const FOLDER = join(import.meta.dirname, '../subgraphs');

endWithParent();
const names = process.argv.slice(2);
if (names.length === 0) throw new Error('Name the subgraphs that shall run in this process');
const subgraphs = await Promise.all(
  names.map(async (name) => ((await import(join(FOLDER, name, 'subgraph.ts'))) as { subgraph: Subgraph }).subgraph),
);
await serveAlone(...subgraphs);
