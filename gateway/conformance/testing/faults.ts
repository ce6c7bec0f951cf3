import type { ExecutionResult } from 'graphql';
import type { SubgraphTransport } from '#shared/kit/transport.ts';

export type Fault = keyof typeof FAULTS;

const GARBAGE: unknown[] = ['text', 7, true, [], {}, [[null]], { __typename: 'Nobody' }];

/** Faults of a subgraph. */
const FAULTS = {
  rejects: () => {
    throw new Error('connect ECONNREFUSED 10.0.0.3:4000');
  },
  'returns nothing at all': () => undefined,
  'returns without data': () => ({}),
  'returns null': () => ({ data: null }),
  'returns null and says why': () => ({ data: null, errors: [{ message: 'no', extensions: { code: 'FORBIDDEN' } }] }),
  'returns text': () => '<html>502 Bad Gateway</html>',
  'returns data that is text': () => ({ data: 'text' }),
  'returns an empty object': () => ({ data: {} }),
  'returns too few entities': (response: ExecutionResult) => entities(response, (all) => all.slice(1)),
  'returns too many entities': (response: ExecutionResult) => entities(response, (all) => [...all, ...all, null]),
  'returns entities that are no list': (response: ExecutionResult) => entities(response, () => ({})),
  'leaves fields out': (response: ExecutionResult, random: Random) => changed(response, (value) => (random() < 0.3 ? undefined : value)),
  'returns null for fields': (response: ExecutionResult, random: Random) => changed(response, (value) => (random() < 0.3 ? null : value)),
  'returns values of other types': (response: ExecutionResult, random: Random) =>
    changed(response, (value) => (random() < 0.3 ? GARBAGE[Math.floor(random() * GARBAGE.length)] : value)),
  'places its errors anywhere': (response: ExecutionResult) => ({
    ...response,
    errors: [
      { message: 'no' },
      { message: 'no', path: [] },
      { message: 'no', path: ['_entities', 99, 'x'] },
      { message: 'no', path: [7, null] },
      null,
    ],
  }),
} satisfies Record<string, (response: ExecutionResult, random: Random) => unknown>;

export const faults = Object.keys(FAULTS) as Fault[];

type Random = () => number;

/** The subgraph with this fault in every response. The same seed changes the same response in the same way. */
export const faulty = (transport: SubgraphTransport, fault: Fault, seed: number): SubgraphTransport => ({
  async execute(request) {
    const response = await transport.execute(request);
    return FAULTS[fault](response, createRandom(seed)) as ExecutionResult;
  },
  subscribe: (request) => transport.subscribe(request),
});

function entities(response: ExecutionResult, change: (all: unknown[]) => unknown): unknown {
  const all: unknown = response.data?.['_entities'];
  return Array.isArray(all) ? { ...response, data: { _entities: change(all) } } : response;
}

/** Changes values inside the data, at any depth. */
const changed = (response: ExecutionResult, change: (value: unknown) => unknown): unknown => ({
  ...response,
  data: JSON.parse(JSON.stringify(response.data ?? null, (key, value: unknown) => (key === '' ? value : (change(value) as unknown)))),
});

/** Mulberry32. */
export function createRandom(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
