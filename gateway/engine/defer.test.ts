import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import type { SubsequentResult } from '../engine.ts';
import { testSubgraphs } from '../test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing.ts';

type Part = Partial<ExecutionResult> & SubsequentResult;

describe('an operation with deferred parts', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all });
  });
  afterAll(() => gateway.close());

  /** Every part of the answer, as a client that understands multipart reads them. */
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

  test('answers what is at hand first, then each part at its place', async () => {
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

  test('keeps the names that the client gave', async () => {
    const parts = await partsOf('{ b: board(id: "b1") { id: title ... @defer { title: id o: owner { id: name } } } }');

    expect(parts[0]?.data).toEqual({ b: { id: 'Ideas' } });
    expect(parts.slice(1).flatMap(({ incremental = [] }) => incremental)).toEqual([
      { path: ['b'], data: { title: 'b1', o: { id: 'Ada' } } },
    ]);
  });

  test('defers within what is deferred', async () => {
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

  test('keeps an error of a part in that part', async () => {
    const parts = await partsOf('{ person(id: "p2") { name ... @defer { email } } }');

    expect(parts[0]).toEqual({ data: { person: { name: 'Bo' } }, hasNext: true });
    expect(parts[1]?.incremental).toMatchObject([
      { path: ['person'], data: { email: null }, errors: [{ path: ['person', 'email'], extensions: { code: 'INTERNAL_SERVER_ERROR' } }] },
    ]);
  });

  test('has nothing to add where the place itself is missing', async () => {
    const parts = await partsOf('{ board(id: "nowhere") { title ... @defer { owner { name } } } }');

    expect(parts[0]?.data).toEqual({ board: null });
    expect(parts.slice(1)).toEqual([{ hasNext: false }]);
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
