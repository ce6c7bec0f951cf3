import type { PlainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import { composeSupergraph } from '../../../schema/compose.ts';
import type { Extent } from './operations.ts';

/** A few subgraphs with fixed data, independent of earlier requests. */
export interface TestSupergraph extends Extent {
  name: string;
  subgraphs: PlainSubgraph[];
}

export const link = (...imports: string[]): string =>
  `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: [${imports.map((name) => `"@${name}"`).join(', ')}])\n`;

export const composed = ({ subgraphs }: Pick<TestSupergraph, 'subgraphs'>): string =>
  composeSupergraph(subgraphs.map(({ name, typeDefs }) => ({ name, typeDefs, url: `http://${name}/graphql` })));

/** Copied as if sent over a wire: an engine may write into what it receives. */
export const transportsOf = ({ subgraphs }: Pick<TestSupergraph, 'subgraphs'>): Record<string, SubgraphTransport> =>
  Object.fromEntries(subgraphs.map((subgraph) => [subgraph.name, overWire(subgraph)]));

const overWire = (subgraph: PlainSubgraph): SubgraphTransport => ({
  async execute(request) {
    subgraph.asked.length = 0;
    const { data, ...rest } = await subgraph.execute({ ...request, variables: structuredClone(request.variables) });
    return { ...rest, data: JSON.parse(JSON.stringify(data ?? null)) };
  },
  subscribe: (request) => subgraph.subscribe(request),
});

/** The row with all of these values, also nested ones. */
export const rowOf = <T extends object>(rows: readonly T[], reference: object): T | null =>
  rows.find((row) => holds(row, reference)) ?? null;

function holds(value: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return value === wanted;
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(wanted).every(([name, each]) => name === '__typename' || holds((value as Record<string, unknown>)[name], each));
}
