import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { httpTransport, type HttpTransport } from '#shared/transport/http-transport.ts';
import { serve, type Served } from '#shared/transport/server.ts';
import { openGatewayForTest, type TestGateway } from './testing/open-gateway.ts';
import { testSubgraphs, type TestSubgraphs } from './testing/test-subgraphs.ts';

/** The same promises hold wherever the subgraphs live. */
describe.each(['in process', 'over HTTP'])('with subgraphs %s', (where) => {
  let subgraphs: TestSubgraphs;
  let gateway: TestGateway;
  let served: Served[] = [];
  let transports: Record<string, HttpTransport> = {};
  beforeAll(async () => {
    subgraphs = testSubgraphs();
    if (where === 'over HTTP') {
      served = await Promise.all(subgraphs.all.map((subgraph) => serve(subgraph, { port: 0 })));
      transports = Object.fromEntries(subgraphs.all.map(({ name }, i) => [name, httpTransport(name, served[i]!.url)]));
    }
    gateway = await openGatewayForTest({ subgraphs: subgraphs.all, ...(where === 'over HTTP' && { transports }) });
  });
  afterAll(async () => {
    await gateway.close();
    await Promise.all([...Object.values(transports), ...served].map((each) => each.close()));
  });

  test('joins entities of several subgraphs in one response', async () => {
    const { status, data, errors } = await gateway.ask(
      '{ note(id: "n1") { id words: text author { name boards { title } } board { title owner { name } } } }',
    );

    expect(errors).toBeUndefined();
    expect(status).toBe(200);
    expect(data).toEqual({
      note: {
        id: 'n1',
        words: 'one',
        author: { name: 'Ada', boards: [{ title: 'Ideas' }] },
        board: { title: 'Ideas', owner: { name: 'Ada' } },
      },
    });
  });

  test('keeps aliases apart from the fields that the plan needs', async () => {
    const { data, errors } = await gateway.ask(
      '{ note(id: "n1") { id: text board: author { id: name __typename: name name: id boards { id: title title: id } } } }',
    );

    expect(errors).toBeUndefined();
    expect(data).toEqual({
      note: { id: 'one', board: { id: 'Ada', __typename: 'Ada', name: 'p1', boards: [{ id: 'Ideas', title: 'b1' }] } },
    });
  });

  test('joins lists entry by entry', async () => {
    const { data } = await gateway.ask(
      'query($n: Int) { boards(first: $n) { nodes { title owner { name } notes { text author { name } } } } }',
      { n: 2 },
    );

    expect(data.boards.nodes).toEqual([
      {
        title: 'Ideas',
        owner: { name: 'Ada' },
        notes: [
          { text: 'one', author: { name: 'Ada' } },
          { text: 'two', author: { name: 'Bo' } },
        ],
      },
      { title: 'Plans', owner: { name: 'Bo' }, notes: [{ text: 'three', author: { name: 'Cy' } }] },
    ]);
  });

  test('runs a mutation and joins its result', async () => {
    const token = await gateway.tokenFor({ id: 'p2' });

    const { data } = await gateway.ask(
      'mutation($t: String!) { writeNote(boardId: "b2", text: $t) { text author { name } board { title } } }',
      { t: 'new' },
      { token },
    );

    expect(data).toEqual({ writeNote: { text: 'new', author: { name: 'Bo' }, board: { title: 'Plans' } } });
  });

  test('obeys @skip, @include, fragments and default values', async () => {
    const query = `query($deep: Boolean = false, $n: Int = 1) { boards(first: $n) { nodes { ...B owner @include(if: $deep) { name } title @skip(if: true) } } }
      fragment B on Board { id notes { ... on Note { id } } }`;

    expect((await gateway.ask(query)).data.boards.nodes).toEqual([{ id: 'b1', notes: [{ id: 'n1' }, { id: 'n2' }] }]);
    expect((await gateway.ask(query, { deep: true })).data.boards.nodes[0].owner).toEqual({ name: 'Ada' });
  });

  test('sends the identity to every subgraph', async () => {
    const token = await gateway.tokenFor({ id: 'p1', roles: ['editor'], scopes: ['notes:write'], sessionId: 'ses_1' });

    const { data } = await gateway.ask('{ me { name } viewer }', {}, { token });

    expect(data.me).toEqual({ name: 'Ada' });
    expect(JSON.parse(data.viewer)).toEqual({ id: 'p1', roles: ['editor'], scopes: ['notes:write'], sessionId: 'ses_1' });
  });

  test('passes a Problem on with its code and path only', async () => {
    const { data, errors } = await gateway.ask(
      '{ me { name } note(id: "n3") { author { name email } } }',
      {},
      { headers: { 'x-correlation-id': 'corr-12345678' } },
    );

    expect(data).toEqual({ me: null, note: { author: { name: 'Cy', email: null } } });
    expect(errors?.toSorted((a, b) => a.message.localeCompare(b.message))).toEqual([
      {
        message: 'Sign in to do this.',
        path: ['me'],
        extensions: { code: 'UNAUTHENTICATED', retryable: false, correlationId: 'corr-12345678' },
      },
      {
        message: 'You may not do this.',
        path: ['note', 'author', 'email'],
        extensions: { code: 'FORBIDDEN', retryable: false, correlationId: 'corr-12345678' },
      },
    ]);
  });

  test('masks a bug, with the correlation id that finds it in the logs', async () => {
    const answer = await gateway.ask('{ note(id: "n2") { author { name email } } }');

    expect(answer.data).toEqual({ note: { author: { name: 'Bo', email: null } } });
    expect(answer.errors).toEqual([
      {
        message: 'Something went wrong on our side.',
        path: ['note', 'author', 'email'],
        extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, correlationId: answer.headers.get('x-correlation-id') },
      },
    ]);
    expect(JSON.stringify(answer)).not.toMatch(/ECONNREFUSED|mongodb|10\.0\.0\.3|stack|at /);
  });

  test('hides _entities and _service', async () => {
    const { status, errors } = await gateway.ask('{ _service { sdl } _entities(representations: []) { __typename } }');

    expect(status).toBe(400);
    expect(errors?.map(({ extensions }) => extensions.code)).toEqual(['GRAPHQL_VALIDATION_FAILED', 'GRAPHQL_VALIDATION_FAILED']);
  });

  test('shows its schema', async () => {
    const { data } = await gateway.ask('{ __schema { queryType { name } } __type(name: "Note") { fields { name } } __typename }');

    expect(data).toEqual({
      __schema: { queryType: { name: 'Query' } },
      __type: { fields: ['id', 'text', 'author', 'board'].map((name) => ({ name })) },
      __typename: 'Query',
    });
  });

  test('supports fields named like JavaScript properties', async () => {
    const { data } = await gateway.ask(
      '{ __proto__: note(id: "n1") { constructor: text } toString: note(id: "n2") { hasOwnProperty: id } }',
    );

    expect(Object.entries(data)).toEqual([
      ['__proto__', { constructor: 'one' }],
      ['toString', { hasOwnProperty: 'n2' }],
    ]);
    expect(({} as { constructor: unknown }).constructor).toBe(Object);
  });
});
