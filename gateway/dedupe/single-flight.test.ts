import { describe, expect, test } from '@jest/globals';
import { GraphQLError, type ExecutionResult } from 'graphql';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import type { FetchScope } from '../engine/types.ts';
import { createSingleFlight } from './single-flight.ts';
import { dedupeFetches } from './dedupe-fetches.ts';

/** A subgraph that responds when `respond` is called. */
function slowSubgraph(responseOf: (request: SubgraphRequest) => ExecutionResult) {
  const requests: SubgraphRequest[] = [];
  let waiting: (() => void)[] = [];
  const fetch = (_subgraph: string, request: SubgraphRequest): Promise<ExecutionResult> => {
    requests.push(request);
    return new Promise((resolve) => waiting.push(() => resolve(responseOf(request))));
  };
  const respond = (): void => {
    for (const each of waiting) each();
    waiting = [];
  };
  return { requests, fetch, respond };
}

const request = (query: string, variables: Record<string, unknown> = {}): SubgraphRequest => ({
  query,
  variables,
  identity: { issuer: 'gateway', viewer: null },
  correlationId: 'c',
  deadline: Date.now() + 10_000,
});
const scope = (key: string, more: Partial<FetchScope> = {}): FetchScope => ({ key, fetches: true, entities: true, ...more });
const ENTITIES = 'query($representations: [_Any!]!) { _entities(representations: $representations) { ... on Note { text } } }';

/** Each note's text is its id; one that begins with x is an error. */
const notes = ({ variables }: SubgraphRequest): ExecutionResult => {
  const ids = (variables!['representations'] as { id: string }[]).map(({ id }) => id);
  const errors = ids.flatMap((id, index) =>
    id.startsWith('x') ? [new GraphQLError(`no ${id}`, { path: ['_entities', index, 'text'] })] : [],
  );
  return { data: { _entities: ids.map((text) => ({ text: text.startsWith('x') ? null : text })) }, ...(errors.length > 0 && { errors }) };
};
const representations = (...ids: string[]) => ({ representations: ids.map((id) => ({ __typename: 'Note', id })) });

describe('equal fetches in flight', () => {
  test('run once per scope, and every caller gets a copy', async () => {
    const subgraph = slowSubgraph(() => ({ data: { note: { tags: ['a'] } } }));
    const fetch = dedupeFetches(subgraph.fetch);
    const requests = [1, 2, 3].map(() => fetch('notes', request('{ note { tags } }'), scope('ada')));
    subgraph.respond();

    const results = await Promise.all(requests);

    expect(subgraph.requests).toHaveLength(1);
    for (const { data } of results) expect(data).toEqual({ note: { tags: ['a'] } });
    expect(new Set(results.map(({ data }) => data!['note'])).size).toBe(3);
  });

  test.each([
    ['another scope', request('{ note { tags } }'), scope('bo')],
    ['another text', request('{ note { text } }'), scope('ada')],
    ['other variables', request('{ note { tags } }', { a: 1 }), scope('ada')],
    ['dedupe switched off', request('{ note { tags } }'), scope('ada', { fetches: false })],
  ])('run twice with %s', async (_case, other, otherScope) => {
    const subgraph = slowSubgraph(() => ({ data: {} }));
    const fetch = dedupeFetches(subgraph.fetch);
    const both = [fetch('notes', request('{ note { tags } }'), scope('ada')), fetch('notes', other, otherScope)];
    subgraph.respond();
    await Promise.all(both);

    expect(subgraph.requests).toHaveLength(2);
  });

  test('are not joined after their response', async () => {
    const subgraph = slowSubgraph(() => ({ data: {} }));
    const fetch = dedupeFetches(subgraph.fetch);
    for (const _time of [1, 2]) {
      const requests = fetch('notes', request('{ note { tags } }'), scope('ada'));
      subgraph.respond();
      await requests;
    }

    expect(subgraph.requests).toHaveLength(2);
  });

  test('are not joined after the response of a mutation that began later', async () => {
    const subgraph = slowSubgraph(() => ({ data: {} }));
    const fetch = dedupeFetches((name, each) => (name === 'notes' ? subgraph.fetch(name, each) : Promise.resolve({ data: {} })));
    const before = fetch('notes', request('{ note { tags } }'), scope('ada'));
    await fetch('people', request('mutation { rename }'), undefined);
    const after = fetch('notes', request('{ note { tags } }'), scope('ada'));
    subgraph.respond();
    await Promise.all([before, after]);

    expect(subgraph.requests).toHaveLength(2);
  });
});

describe('entities in flight', () => {
  test('are not fetched again; every caller gets its entities in its order, errors included', async () => {
    const subgraph = slowSubgraph(notes);
    const fetch = dedupeFetches(subgraph.fetch);
    const first = fetch('notes', request(ENTITIES, representations('a', 'x1', 'b')), scope('ada'));
    const second = fetch('notes', request(ENTITIES, representations('c', 'b', 'x1')), scope('ada'));
    subgraph.respond();

    const results = await Promise.all([first, second]);

    expect(subgraph.requests.map(({ variables }) => variables)).toEqual([representations('a', 'x1', 'b'), representations('c')]);
    expect(results.map(({ data }) => data)).toEqual([
      { _entities: [{ text: 'a' }, { text: null }, { text: 'b' }] },
      { _entities: [{ text: 'c' }, { text: 'b' }, { text: null }] },
    ]);
    expect(results.map(({ errors }) => errors?.map(({ path }) => path))).toEqual([[['_entities', 1, 'text']], [['_entities', 2, 'text']]]);
  });

  test('are null for every caller when the fetch fails', async () => {
    const lost = new GraphQLError('lost', { path: ['_entities'] });
    const subgraph = slowSubgraph(() => ({ data: null, errors: [lost] }));
    const fetch = dedupeFetches(subgraph.fetch);
    const both = [representations('a', 'b'), representations('b')].map((each) => fetch('notes', request(ENTITIES, each), scope('ada')));
    subgraph.respond();

    for (const result of await Promise.all(both)) expect(result).toEqual({ data: { _entities: null }, errors: [lost] });
    expect(subgraph.requests).toHaveLength(1);
  });
});

test('does not join work that was in flight before forgetInFlight', async () => {
  const flights = createSingleFlight<number>((value) => value);
  let runs = 0;
  const work = async (): Promise<number> => (runs += 1);
  const first = flights.run('a', work);
  flights.forgetInFlight();
  const second = flights.run('a', work);

  expect(await Promise.all([first, second, flights.run('a', work)])).toEqual([1, 2, 2]);
});

describe('aborts the work', () => {
  const never = () => new Promise<never>(() => undefined);
  const controllers = () => [new AbortController(), new AbortController()] as const;

  test('after every waiting client has disconnected, and does not join it afterwards', () => {
    const flights = createSingleFlight<number>((value) => value);
    const given: (AbortSignal | undefined)[] = [];
    const work = (signal?: AbortSignal) => (given.push(signal), never());
    const [one, other] = controllers();
    void flights.run('a', work, one.signal);
    void flights.run('a', work, other.signal);

    one.abort();
    expect(given[0]?.aborted).toBe(false);
    other.abort();
    expect(given[0]?.aborted).toBe(true);

    void flights.run('a', work, new AbortController().signal);
    expect(given).toHaveLength(2);
  });

  test('never, when one caller has no signal', () => {
    const flights = createSingleFlight<number>((value) => value);
    let given: AbortSignal | undefined;
    const [one] = controllers();
    void flights.run('a', (signal) => ((given = signal), never()), one.signal);
    void flights.run('a', never);

    one.abort();

    expect(given?.aborted).toBe(false);
  });

  test('of entities when no client waits for any of them', () => {
    const requests: SubgraphRequest[] = [];
    const fetch = dedupeFetches((_name, each) => (requests.push(each), never()));
    const [one, other] = controllers();
    void fetch('notes', { ...request(ENTITIES, representations('a', 'b')), signal: one.signal }, scope('ada'));
    void fetch('notes', { ...request(ENTITIES, representations('b')), signal: other.signal }, scope('ada'));

    one.abort();
    expect(requests).toHaveLength(1);
    expect(requests[0]!.signal!.aborted).toBe(false);
    other.abort();
    expect(requests[0]!.signal!.aborted).toBe(true);
  });
});
