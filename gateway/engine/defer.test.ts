import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import type { SubsequentResult } from './types.ts';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

type Part = Partial<ExecutionResult> & SubsequentResult;

describe('an operation with deferred parts', () => {
  let gateway: TestGateway;
  let subgraphs: ReturnType<typeof testSubgraphs>;
  const asked = (field: string): number => subgraphs.people.asked.filter(({ query }) => query.includes(field)).length;
  beforeAll(async () => {
    subgraphs = testSubgraphs();
    gateway = await openGatewayForTest({ subgraphs: subgraphs.all });
  });
  afterAll(() => gateway.close());

  /** Every part of the response, as a multipart client reads them. */
  async function partsOf(query: string, variables: Record<string, unknown> = {}): Promise<Part[]> {
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'multipart/mixed; deferSpec=20220824, application/json' },
      body: JSON.stringify({ query, variables }),
    });
    const text = await response.text();
    if (!response.headers.get('content-type')?.startsWith('multipart/mixed')) return [JSON.parse(text) as Part];
    return text
      .split(/\r?\n---(?:--)?\r?\n?/)
      .map((each) => each.slice(each.indexOf('{')))
      .filter((each) => each.startsWith('{'))
      .map((each) => JSON.parse(each) as Part);
  }

  test('returns available data first, then each part with its path', async () => {
    const [first, ...rest] = await partsOf(`{
      boards { nodes { title ... @defer(label: "owner") { owner { name } } ... @defer(label: "notes") { notes { text author { name } } } } }
    }`);

    expect(first).toEqual({ data: { boards: { nodes: [{ title: 'Ideas' }, { title: 'Plans' }] } }, hasNext: true });
    const parts = rest.flatMap(({ incremental = [] }) => incremental);
    const of = (label: string) => parts.filter((part) => part.label === label);
    expect(of('owner')).toEqual([
      { label: 'owner', path: ['boards', 'nodes', 0], data: { owner: { name: 'Ada' } } },
      { label: 'owner', path: ['boards', 'nodes', 1], data: { owner: { name: 'Bo' } } },
    ]);
    expect(of('notes').map(({ data }) => data)).toEqual([
      {
        notes: [
          { text: 'one', author: { name: 'Ada' } },
          { text: 'two', author: { name: 'Bo' } },
        ],
      },
      { notes: [{ text: 'three', author: { name: 'Cy' } }] },
    ]);
    expect(rest.map(({ hasNext }) => hasNext)).toEqual([...rest.slice(1).map(() => true), false]);
  });

  test("keeps the client's aliases", async () => {
    const parts = await partsOf('{ b: board(id: "b1") { id: title ... @defer { title: id o: owner { id: name } } } }');

    expect(parts[0]?.data).toEqual({ b: { id: 'Ideas' } });
    expect(parts.slice(1).flatMap(({ incremental = [] }) => incremental)).toEqual([
      { path: ['b'], data: { title: 'b1', o: { id: 'Ada' } } },
    ]);
  });

  test('defers within deferred parts', async () => {
    const parts = await partsOf(`{
      board(id: "b1") { title ... @defer(label: "outer") { owner { name ... @defer(label: "inner") { boards { title } } } } }
    }`);

    expect(parts[0]).toEqual({ data: { board: { title: 'Ideas' } }, hasNext: true });
    expect(parts.slice(1).flatMap(({ incremental = [] }) => incremental)).toEqual([
      { label: 'outer', path: ['board'], data: { owner: { name: 'Ada' } } },
      { label: 'inner', path: ['board', 'owner'], data: { boards: [{ title: 'Ideas' }] } },
    ]);
    expect(parts.at(-1)?.hasNext).toBe(false);
  });

  test.each([
    [true, [{ board: { title: 'Ideas' } }]],
    [false, [{ board: { title: 'Ideas', owner: { name: 'Ada' } } }]],
  ])('is decided by a variable: %s', async (later, firsts) => {
    const query = 'query Q($later: Boolean!) { board(id: "b1") { title ... @defer(if: $later) { owner { name } } } }';

    const parts = await partsOf(query, { later });

    expect(parts.flatMap(({ data }) => (data ? [data] : []))).toEqual(firsts);
    expect(parts).toHaveLength(later ? 2 : 1);
  });

  test('reports an error of a part in that part', async () => {
    const parts = await partsOf('{ person(id: "p2") { name ... @defer { email } } }');

    expect(parts[0]).toEqual({ data: { person: { name: 'Bo' } }, hasNext: true });
    expect(parts[1]?.incremental).toMatchObject([
      { path: ['person'], data: { email: null }, errors: [{ path: ['person', 'email'], extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
    ]);
  });

  test('adds nothing where the parent is missing', async () => {
    const parts = await partsOf('{ board(id: "nowhere") { title ... @defer { owner { name } } } }');

    expect(parts[0]?.data).toEqual({ board: null });
    expect(parts.slice(1)).toEqual([{ hasNext: false }]);
  });

  /** First response, then parts, then whether there is any error. */
  async function told(query: string, variables: Record<string, unknown> = {}) {
    const [first, ...rest] = await partsOf(query, variables);
    expect(JSON.stringify([first, rest])).not.toContain('errors');
    return { first: first?.data, parts: rest.flatMap(({ incremental = [] }) => incremental) };
  }

  test.each<[string, string, object, object[]]>([
    [
      'an entity',
      '{ board(id: "b1") { ...@defer { id title } } }',
      { board: {} },
      [{ path: ['board'], data: { id: 'b1', title: 'Ideas' } }],
    ],
    [
      'an object within',
      '{ board(id: "b1") { title owner { ...@defer { name } } } }',
      { board: { title: 'Ideas', owner: {} } },
      [{ path: ['board', 'owner'], data: { name: 'Ada' } }],
    ],
    [
      'the entries of a list',
      '{ boards { nodes { ...@defer { title } } } }',
      { boards: { nodes: [{}, {}] } },
      [
        { path: ['boards', 'nodes', 0], data: { title: 'Ideas' } },
        { path: ['boards', 'nodes', 1], data: { title: 'Plans' } },
      ],
    ],
    [
      'an object without a key',
      '{ boards { ...@defer { nodes { title } } } }',
      { boards: {} },
      [{ path: ['boards'], data: { nodes: [{ title: 'Ideas' }, { title: 'Plans' }] } }],
    ],
    ['the root', '{ ...@defer { board(id: "b1") { title } } }', {}, [{ path: [], data: { board: { title: 'Ideas' } } }]],
    [
      'the root, beside its type',
      '{ ...F @defer __typename } fragment F on Query { board(id: "b1") { title } }',
      { __typename: 'Query' },
      [{ path: [], data: { board: { title: 'Ideas' } } }],
    ],
    [
      'everything of an object that is deferred itself',
      '{ board(id: "b1") { ...@defer(label: "a") { owner { ...@defer(label: "b") { name } } } } }',
      { board: {} },
      [
        { path: ['board'], label: 'a', data: { owner: {} } },
        { path: ['board', 'owner'], label: 'b', data: { name: 'Ada' } },
      ],
    ],
    [
      'everything of the entries of a list that is deferred itself',
      '{ board(id: "b1") { id ...@defer { title notes { ...@defer { text } } } } }',
      { board: { id: 'b1' } },
      [
        { path: ['board'], data: { title: 'Ideas', notes: [{}, {}] } },
        { path: ['board', 'notes', 0], data: { text: 'one' } },
        { path: ['board', 'notes', 1], data: { text: 'two' } },
      ],
    ],
    [
      'the same fragment in two places',
      '{ a: board(id: "b1") { ...F } b: board(id: "b2") { ...F } } fragment F on Board { ...@defer(label: "f") { title } }',
      { a: {}, b: {} },
      [
        { path: ['a'], label: 'f', data: { title: 'Ideas' } },
        { path: ['b'], label: 'f', data: { title: 'Plans' } },
      ],
    ],
  ])('returns the rest unchanged when all of %s is deferred', async (_case, query, first, parts) => {
    const response = await told(query);

    expect(response.first).toEqual(first);
    expect(response.parts).toEqual(parts);
  });

  test('runs a mutation once, and returns it once', async () => {
    const { first, parts } = await told('mutation { rename(id: "p1", name: "Eve") { ...F @defer } } fragment F on Person { name }');

    expect(first).toEqual({ rename: {} });
    expect(parts).toEqual([{ path: ['rename'], data: { name: expect.any(String) } }]);
    expect(asked('rename')).toBe(1);
  });

  test.each([
    [{}, 2],
    [{ later: true }, 2],
    [{ later: false }, 1],
  ])('treats a missing condition as true: %p', async (variables, count) => {
    const query = 'query($later: Boolean) { board(id: "b1") { title ... @defer(if: $later) { owner { name } } } }';

    expect(await partsOf(query, variables)).toHaveLength(count);
  });

  test.each([
    [
      'a condition that is null',
      'query($v: Boolean) { board(id: "b1") { title ... @defer(if: $v) { id } } }',
      { v: null },
      'BAD_USER_INPUT',
    ],
    [
      'a label that is no text',
      'query($v: String) { board(id: "b1") { title ... @defer(label: $v) { id } } }',
      { v: 'x' },
      'GRAPHQL_VALIDATION_FAILED',
    ],
  ])('refuses %s', async (_case, query, variables, code) => {
    expect(await partsOf(query, variables)).toMatchObject([{ errors: [{ extensions: { code, retryable: false } }] }]);
  });

  test('adds nothing below a field that the first response lost', async () => {
    const [first, ...rest] = await partsOf('{ boards { nodes { title notes { text } ... @defer { owner { name } } } } locked }');

    expect(first?.data).toBeNull();
    expect(rest).toEqual([]);
  });

  describe('is returned as the client accepts it:', () => {
    const query = '{ board(id: "b1") { title ... @defer { owner { name } } } }';
    const ask = (accept: string) =>
      fetch(gateway.url, { method: 'POST', headers: { 'content-type': 'application/json', accept }, body: JSON.stringify({ query }) });

    test.each([
      ['GraphiQL', 'application/graphql-response+json, application/json, multipart/mixed'],
      ['urql', 'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed'],
      ['Apollo Client 3', 'multipart/mixed;deferSpec=20220824,application/json'],
      ['Apollo Client 3 with subscriptions', 'multipart/mixed;boundary=graphql;subscriptionSpec=1.0;deferSpec=20220824,application/json'],
      ['a client that knows both', 'multipart/mixed;incrementalSpec=v0.2, multipart/mixed;deferSpec=20220824;q=0.5'],
    ])('in parts for %s', async (_client, accept) => {
      const response = await ask(accept);

      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).toBe('multipart/mixed; boundary="-"; deferSpec=20220824');
      expect(await response.text()).toContain('{"hasNext":false,"incremental":[{"data":{"owner":{"name":"Ada"}},"path":["board"]}]}');
    });

    test.each([
      ['JSON only', 'application/json'],
      ['anything', '*/*'],
      ['parts in a format that is not written here', 'multipart/mixed;incrementalSpec=v0.2, application/graphql-response+json'],
      ['no parts', 'multipart/mixed;q=0, application/json'],
      ['no parts at all', 'multipart/mixed; deferSpec=20220824; q=0.0, application/json'],
    ])('in one piece for a client that takes %s', async (_client, accept) => {
      const response = await ask(accept);

      expect(response.status).toBe(200);
      expect(response.headers.get('content-type')).not.toContain('multipart');
      expect(await response.json()).toEqual({ data: { board: { title: 'Ideas', owner: { name: 'Ada' } } } });
    });
  });

  test('streams its parts over a socket too', async () => {
    const parts: unknown[] = [];

    for await (const part of gateway.subscribe('{ board(id: "b1") { title ... @defer { owner { name } } } }')) parts.push(part);

    expect(parts).toEqual([
      { data: { board: { title: 'Ideas' } }, hasNext: true },
      { incremental: [{ path: ['board'], data: { owner: { name: 'Ada' } } }], hasNext: false },
    ]);
  });
});
