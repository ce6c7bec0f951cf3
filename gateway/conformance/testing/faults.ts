import type { ExecutionResult } from 'graphql';
import type { SubgraphTransport } from '#shared/kit/transport.ts';

export type Fault = keyof typeof FAULTS;

const GARBAGE: unknown[] = ['text', 7, true, [], {}, [[null]], { __typename: 'Nobody' }];

/** Faults of a subgraph. */
const FAULTS = {
  rejects: () => {
    throw new Error('connect ECONNREFUSED 10.0.0.3:4000');
  },
  'answers nothing at all': () => undefined,
  'answers without data': () => ({}),
  'answers null': () => ({ data: null }),
  'answers null and says why': () => ({ data: null, errors: [{ message: 'no', extensions: { code: 'FORBIDDEN' } }] }),
  'answers text': () => '<html>502 Bad Gateway</html>',
  'answers data that is text': () => ({ data: 'text' }),
  'answers an empty object': () => ({ data: {} }),
  'answers too few entities': (answer: Answer) => entities(answer, (all) => all.slice(1)),
  'answers too many entities': (answer: Answer) => entities(answer, (all) => [...all, ...all, null]),
  'answers entities that are no list': (answer: Answer) => entities(answer, () => ({})),
  'leaves fields out': (answer: Answer, random: Random) => changed(answer, (value) => (random() < 0.3 ? undefined : value)),
  'answers null for fields': (answer: Answer, random: Random) => changed(answer, (value) => (random() < 0.3 ? null : value)),
  'answers values of other types': (answer: Answer, random: Random) =>
    changed(answer, (value) => (random() < 0.3 ? GARBAGE[Math.floor(random() * GARBAGE.length)] : value)),
  'places its errors anywhere': (answer: Answer) => ({
    ...answer,
    errors: [
      { message: 'no' },
      { message: 'no', path: [] },
      { message: 'no', path: ['_entities', 99, 'x'] },
      { message: 'no', path: [7, null] },
      null,
    ],
  }),
} satisfies Record<string, (answer: Answer, random: Random) => unknown>;

export const faults = Object.keys(FAULTS) as Fault[];

type Answer = ExecutionResult;
type Random = () => number;

/** The subgraph with this fault in every response. The same seed changes the same response in the same way. */
export const faulty = (transport: SubgraphTransport, fault: Fault, seed: number): SubgraphTransport => ({
  async execute(request) {
    const answer = await transport.execute(request);
    return FAULTS[fault](answer, createRandom(seed)) as ExecutionResult;
  },
  subscribe: (request) => transport.subscribe(request),
});

function entities(answer: Answer, change: (all: unknown[]) => unknown): unknown {
  const all: unknown = answer.data?.['_entities'];
  return Array.isArray(all) ? { ...answer, data: { _entities: change(all) } } : answer;
}

/** Changes values inside the data, at any depth. */
const changed = (answer: Answer, change: (value: unknown) => unknown): unknown => ({
  ...answer,
  data: JSON.parse(JSON.stringify(answer.data ?? null, (key, value: unknown) => (key === '' ? value : (change(value) as unknown)))),
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
