import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { ExecutionResult } from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import { httpTransport } from '#shared/transport/http-transport.ts';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import { openGatewayForTest, type TestResponse } from './testing/open-gateway.ts';
import { testSubgraphs } from './testing/test-subgraphs.ts';

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

/** The gateway with one subgraph replaced by something that does not work. */
async function gatewayWith(name: 'people' | 'boards' | 'notes', transport: SubgraphTransport | undefined, timeoutMs = 30_000) {
  const { all } = testSubgraphs();
  const { [name]: _lost, ...others } = Object.fromEntries(all.map((each): [string, SubgraphTransport] => [each.name, each]));
  const gateway = await openGatewayForTest({
    subgraphs: all,
    transports: { ...others, ...(transport && { [name]: transport }) },
    timeoutMs,
  });
  opened.push(gateway);
  return gateway;
}

const answering = (response: () => Promise<unknown>): SubgraphTransport => ({
  execute: response as () => Promise<ExecutionResult>,
  subscribe: response as () => Promise<ExecutionResult>,
});

/** A port without a listener. */
async function deadUrl(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

const QUERY = '{ boards { nodes { title owner { name } notes { text author { name } } } } person(id: "p1") { name } }';

const UNREACHED = { code: 'SUBGRAPH_UNAVAILABLE', message: 'The subgraph people cannot be reached at the moment.' };
const TOO_LATE = { code: 'TIMEOUT', message: 'The subgraph people did not answer in time.' };

function expectOnlyPeopleMissing({ status, data, errors, headers }: TestResponse, { code, message } = UNREACHED): void {
  const note = (text: string) => ({ text, author: { name: null } });
  expect(status).toBe(200);
  expect(data).toEqual({
    boards: {
      nodes: [
        { title: 'Ideas', owner: { name: null }, notes: [note('one'), note('two')] },
        { title: 'Plans', owner: { name: null }, notes: [note('three')] },
      ],
    },
    person: null,
  });
  const correlationId = headers.get('x-correlation-id');
  for (const error of errors ?? []) {
    expect(error.message).toBe(message);
    expect(error.extensions).toEqual({ code, subgraph: 'people', retryable: true, correlationId });
  }
  const paths = errors?.map(({ path }) => path?.join('.')).sort();
  expect(paths).toEqual([
    'boards.nodes.0.notes.0.author.name',
    'boards.nodes.0.notes.1.author.name',
    'boards.nodes.0.owner.name',
    'boards.nodes.1.notes.0.author.name',
    'boards.nodes.1.owner.name',
    'person',
  ]);
}

describe('loses only the fields of a subgraph that', () => {
  test('is not there', async () => {
    const transport = httpTransport('people', await deadUrl(), {
      resilience: { retry: { initialDelayMs: 1 }, breaker: { failureThreshold: 1 } },
    });
    opened.push(transport);
    const gateway = await gatewayWith('people', transport);

    expectOnlyPeopleMissing(await gateway.ask(QUERY));
    // The second time the breaker refuses at once.
    expectOnlyPeopleMissing(await gateway.ask(QUERY));
  });

  test('was never configured', async () => {
    const gateway = await gatewayWith('people', undefined);

    expectOnlyPeopleMissing(await gateway.ask(QUERY));
  });

  test('breaks', async () => {
    const gateway = await gatewayWith(
      'people',
      answering(() => Promise.reject(new Error('read ECONNRESET 10.0.0.3:4001'))),
    );

    expectOnlyPeopleMissing(await gateway.ask(QUERY));
  });

  // Only the gateway's deadline ends the wait; without it the test would time out.
  test('never responds', async () => {
    const gateway = await gatewayWith(
      'people',
      answering(() => new Promise(() => undefined)),
      200,
    );

    expectOnlyPeopleMissing(await gateway.ask(QUERY), TOO_LATE);
  });
});

test('fails a mutation of a lost subgraph without a retry', async () => {
  let asked = 0;
  const gateway = await gatewayWith(
    'people',
    answering(() => (asked++, Promise.reject(new Error('gone')))),
  );

  const { data, errors } = await gateway.ask(
    'mutation { rename(id: "p1", name: "Eve") { name } writeNote(boardId: "b1", text: "t") { text } }',
  );

  expect(data).toEqual({ rename: null, writeNote: { text: 't' } });
  expect(errors).toMatchObject([{ path: ['rename'], extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'people' } }]);
  expect(asked).toBe(1);
});

test('nulls the parents of a missing non-null field, and the error names its path', async () => {
  const gateway = await gatewayWith('boards', undefined);

  const { data, errors } = await gateway.ask('{ note(id: "n1") { text board { id title } } }');

  expect(data).toEqual({ note: { text: 'one', board: null } });
  expect(errors).toMatchObject([{ path: ['note', 'board', 'title'], extensions: { code: 'SUBGRAPH_UNAVAILABLE' } }]);
});

test('limits the errors of a thousand lost entities', async () => {
  const { all } = testSubgraphs();
  const many = Array.from({ length: 1_000 }, (_each, i) => ({ __typename: 'Note', id: `n${i}` }));
  const boards = answering(async () => ({ data: { board: { __typename: 'Board', id: 'b1' } } }));
  const notes = answering(async () => ({
    data: { _entities: [{ __typename: 'Board', notes: many.map((note) => ({ ...note, author: { __typename: 'Person', id: note.id } })) }] },
  }));
  const gateway = await openGatewayForTest({ subgraphs: all, transports: { boards, notes } });
  opened.push(gateway);

  const { data, errors } = await gateway.ask('{ board(id: "b1") { notes { author { name } } } }');

  expect(data.board.notes).toHaveLength(1_000);
  expect(errors?.length).toBeLessThanOrEqual(20);
});

describe('a subgraph that responds', () => {
  const polluted = JSON.parse(
    '{"__proto__":{"polluted":true},"person":{"__proto__":{"polluted":true},"name":"Ada","extra":1},"constructor":{"prototype":{"polluted":true}}}',
  ) as object;

  test('with fields named like JavaScript properties changes no prototype', async () => {
    const gateway = await gatewayWith(
      'people',
      answering(async () => ({ data: polluted })),
    );

    const { data } = await gateway.ask('{ person(id: "p1") { name } }');

    expect(data).toEqual({ person: { name: 'Ada' } });
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  test.each([
    ['text for an object', '{"data":{"person":"Ada"}}', null, ['person']],
    [
      'a number in a list of objects',
      '{"data":{"person":{"name":"Ada","friends":[7]}}}',
      { name: 'Ada', friends: null },
      ['person', 'friends', 0],
    ],
    ['a list', '[]', null, ['person']],
    ['a page', '<html>', null, ['person']],
    ['errors that are none', '{"data":null,"errors":[null]}', null, ['person']],
  ])('%s affects its own field only', async (_case, body, person, path) => {
    const server = createServer((_request, response) => response.end(body)).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const transport = httpTransport('people', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      resilience: { retry: { attempts: 0 } },
    });
    opened.push({ close: async () => server.close() }, transport);
    const gateway = await gatewayWith('people', transport);

    const { status, data, errors } = await gateway.ask('{ person(id: "p1") { name friends { name } } note(id: "n1") { text } }');

    expect(status).toBe(200);
    expect(data).toEqual({ note: { text: 'one' }, person });
    expect(errors).toMatchObject([{ path, extensions: { code: 'SUBGRAPH_ANSWER_INVALID', subgraph: 'people' } }]);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['what no GraphQL ever gives', { data: { person: 'Ada' } }],
    ['neither data nor errors', { errors: null }],
  ])('%s in process is reported as invalid', async (_case, response) => {
    const gateway = await gatewayWith(
      'people',
      answering(async () => response),
    );

    const { status, data, errors } = await gateway.ask('{ person(id: "p1") { name } }');

    expect(status).toBe(200);
    expect(data).toEqual({ person: null });
    expect(errors).toMatchObject([{ path: ['person'], extensions: { code: 'SUBGRAPH_ANSWER_INVALID', retryable: false } }]);
  });

  test('with a stack trace and its address is masked', async () => {
    const error = {
      message: 'E11000 duplicate key http://10.0.0.3:4001',
      path: ['person'],
      extensions: { code: 'INTERNAL_SERVER_ERROR', stacktrace: ['at /srv/people.ts:1'], serviceName: 'people' },
    };
    const gateway = await gatewayWith(
      'people',
      answering(async () => ({ data: { person: null }, errors: [error] })),
    );

    const response = await gateway.ask('{ person(id: "p1") { name } }');

    expect(response.errors).toMatchObject([
      { message: 'Something went wrong on our side.', path: ['person'], extensions: { code: 'INTERNAL_SERVER_ERROR' } },
    ]);
    expect(JSON.stringify(response)).not.toMatch(/E11000|10\.0\.0\.3|srv|stacktrace/);
  });

  test('with a Problem and a stack trace keeps the Problem only', async () => {
    const error = {
      message: 'No.',
      path: ['person'],
      extensions: { code: 'PERSON_HIDDEN', since: 2020, stacktrace: ['at /srv/people.ts:1'], exception: {} },
    };
    const gateway = await gatewayWith(
      'people',
      answering(async () => ({ data: { person: null }, errors: [error] })),
    );

    const { errors } = await gateway.ask('{ person(id: "p1") { name } }');

    expect(errors?.[0]).toEqual({
      message: 'No.',
      path: ['person'],
      extensions: { code: 'PERSON_HIDDEN', since: 2020, retryable: false, correlationId: expect.any(String) },
    });
  });
});

test('reports an error only for the field that nulled the others', async () => {
  const doors = plainSubgraph({
    name: 'doors',
    typeDefs: 'type Query { a: Int } type Mutation { login(name: String!): String! }',
    resolvers: {
      Mutation: {
        login: (_root: unknown, { name }: { name: string }) => {
          if (name === 'b') throw new Problem('RATE_LIMITED', 'Too many attempts.');
          return name;
        },
      },
    },
  });
  const gateway = await openGatewayForTest({ subgraphs: [doors] });
  opened.push(gateway);

  const { data, errors } = await gateway.ask('mutation { a0: login(name: "a") a1: login(name: "b") a2: login(name: "c") }');

  expect(data).toBeNull();
  expect(errors).toMatchObject([{ path: ['a1'], extensions: { code: 'RATE_LIMITED' } }]);
});

test('refuses null for a non-null input field with a default', async () => {
  const typeDefs = 'type Query { a(input: In): Int  b(n: Int! = 7): Int } input In { n: Int! = 7 }';
  const resolvers = { Query: { b: (_root: unknown, { n }: { n: number }) => n } };
  const gateway = await openGatewayForTest({ subgraphs: [plainSubgraph({ name: 'numbers', typeDefs, resolvers })] });
  opened.push(gateway);
  const refused = [{ extensions: { code: 'BAD_USER_INPUT', path: ['n'], retryable: false } }];

  expect(await gateway.ask('query($n: Int) { a(input: { n: $n }) }', { n: null })).toMatchObject({ status: 400, errors: refused });
  expect(await gateway.ask('query($n: Int) { b(n: $n) }', { n: null })).toMatchObject({ status: 400, errors: refused });
  expect(await gateway.ask('query($n: Int) { b(n: $n) }')).toMatchObject({ data: { b: 7 } });
});

test('refuses operations beyond the limit with 503 and Retry-After, without a fetch', async () => {
  const begun = Promise.withResolvers<void>();
  const free = Promise.withResolvers<void>();
  let asked = 0;
  const { all } = testSubgraphs();
  const slow = answering(async () => {
    asked += 1;
    begun.resolve();
    await free.promise;
    return { data: { person: { __typename: 'Person', id: 'p1', name: 'Ada' } } };
  });
  const gateway = await openGatewayForTest({
    subgraphs: all,
    transports: { people: slow },
    admission: { atOnce: 1, waiting: 0, maxWaitMs: 1_000 },
  });
  opened.push(gateway);
  const first = gateway.ask('{ person(id: "p1") { name } }');
  await begun.promise;

  const { status, headers, errors } = await gateway.ask('{ person(id: "p2") { name } }');
  free.resolve();

  expect([status, headers.get('retry-after')]).toEqual([503, '1']);
  expect(errors).toMatchObject([{ extensions: { code: 'OVERLOADED', retryable: true, retryAfterSeconds: 1 } }]);
  expect((await first).data).toEqual({ person: { name: 'Ada' } });
  expect(asked).toBe(1);
});
