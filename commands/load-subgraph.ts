import { join } from 'node:path';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';

/** The manifest of a subgraph of this repository. */
export async function loadSubgraph(name: string): Promise<Subgraph> {
  return ((await import(join(import.meta.dirname, '..', 'subgraphs', name, 'subgraph.ts'))) as { subgraph: Subgraph }).subgraph;
}
