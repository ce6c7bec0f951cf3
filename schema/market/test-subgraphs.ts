import { join } from 'node:path';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Every subgraph of `rover.yaml`. */
export const loadSubgraphs = (): Promise<Subgraph[]> =>
  Promise.all(
    readRoverConfig(ROOT, {}).map(
      async ({ name }) => ((await import(`../../subgraphs/${name}/subgraph.ts`)) as { subgraph: Subgraph }).subgraph,
    ),
  );
