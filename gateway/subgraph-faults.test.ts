import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { httpTransport, type HttpTransport } from '#shared/transport/http-transport.ts';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { drip, openHostile, pour, type Hostile } from './testing/test-hostile.ts';
import { openGatewayForTest, type TestResponse, type TestGateway } from './testing/open-gateway.ts';

/*
 * One gateway and one subgraph over HTTP, which misbehaves in every test and is well again at its end. No case fails five times in a row,
 * so the breaker stays closed; the last test opens it, and moves its clock.
 */

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n';
/** For whatever never comes. Less than a second: running out of it says nothing about the subgraph. */
const PATIENCE_MS = 400;
const MEGABYTE = 1024 * 1024;

const boards = plainSubgraph({
  name: 'boards',
  typeDefs: `${LINK}
    type Query { boards: [Board!]! }
    type Board { title: String!  owner: Person }
    type Person @key(fields: "id", resolvable: false) { id: ID! }
  `,
  resolvers: { Query: { boards: () => ['p1', 'p2'].map((id) => ({ title: `of ${id}`, owner: { id } })) } },
});
const personOf = ({ id }: { id: string }) => ({ id, name: `Ada ${id}`, age: 36, mood: 'CALM', tags: ['a'] });
const people = plainSubgraph({
  name: 'people',
  typeDefs: `${LINK}
    type Query { person(id: ID!): Person }
    enum Mood { CALM HURRIED }
    type Person @key(fields: "id") { id: ID!  name: String  age: Int  mood: Mood  tags: [String!]  friend: Person  friends: [Person] }
  `,
  resolvers: {
    Query: { person: (_root: unknown, { id }: { id: string }) => personOf({ id }) },
    Person: { __resolveReference: personOf, friend: () => personOf({ id: 'p2' }), friends: () => [personOf({ id: 'p3' })] },
  },
});

let server: Hostile;
let transport: HttpTransport;
let gateway: TestGateway;
let clock = Date.now();
const unhandled: unknown[] = [];
const onUnhandled = (reason: unknown): void => void unhandled.push(reason);

beforeAll(async () => {
  process.on('unhandledRejection', onUnhandled);
  server = await openHostile(people);
  transport = httpTransport('people', server.url, {
    isExternal: true,
    timeoutMs: PATIENCE_MS,
    maxResponseBytes: 4 * MEGABYTE,
    resilience: { retry: { attempts: 0 }, breaker: { now: () => clock, probeEveryMs: 20 } },
  });
  gateway = await openGatewayForTest({ subgraphs: [boards, people], transports: { boards, people: transport } });
});
afterAll(async () => {
  await gateway.close();
  await transport.close();
  await server.close();
  process.off('unhandledRejection', onUnhandled);
});
afterEach(() => expect(unhandled.splice(0)).toEqual([]));

const QUERY = '{ boards { title owner { name } } person(id: "p1") { name age mood tags friend { name } friends { name } } }';
const PERSON = { name: 'Ada p1', age: 36, mood: 'CALM', tags: ['a'], friend: { name: 'Ada p2' }, friends: [{ name: 'Ada p3' }] };
const withOwners = (first: unknown, second: unknown) => [
  { title: 'of p1', owner: { name: first } },
  { title: 'of p2', owner: { name: second } },
];
const WELL = { boards: withOwners('Ada p1', 'Ada p2'), person: PERSON };

/** Only its public facts: the subgraph, and whether a retry makes sense. */
function expectTyped({ status, errors = [], ...answer }: TestResponse, paths: readonly string[], codes: RegExp): void {
  expect(status).toBe(200);
  expect(errors.map(({ path }) => path?.join('.') ?? '').sort()).toEqual([...paths].sort());
  for (const { extensions } of errors) {
    expect(extensions.code).toMatch(codes);
    // What is malformed would be so again, and what is down may be up again.
    expect(extensions).toMatchObject({ subgraph: 'people', retryable: extensions.code !== 'SUBGRAPH_ANSWER_INVALID' });
  }
  expect(JSON.stringify({ ...answer, errors })).not.toMatch(
    /https?:|127\.0\.0\.1|localhost|ECONN|UND_ERR|stack|\.ts\b|node_modules|SECRET/,
  );
}

async function expectRecovery(): Promise<void> {
  server.behave();
  const { data, errors } = await gateway.ask(QUERY);
  expect(errors).toBeUndefined();
  expect(data).toEqual(WELL);
}

const isEntities = ({ query }: SubgraphRequest): boolean => query.includes('_entities');
const send = (response: ServerResponse, value: unknown): void => void response.end(JSON.stringify(value));

describe('loses only the fields of a subgraph that fails to respond when it', () => {
  test.each<[string, (response: ServerResponse) => unknown]>([
    ['hangs up', (response) => (response.socket as Socket).destroy()],
    ['breaks off in the middle of a body', (response) => response.write('{"data":{"per', () => response.destroy())],
    ['speaks no HTTP', (response) => (response.socket as Socket).end('SECRET\r\n\r\n')],
    ['sends 500 with a page', (response) => response.writeHead(500).end('<h1>at /srv/SECRET.ts:1</h1>')],
    ['sends 500 without a body', (response) => response.writeHead(500).end()],
  ])('%s', async (_case, misbehave) => {
    server.behave((_request, response) => misbehave(response));

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ boards: withOwners(null, null), person: null });
    expectTyped(answer, ['boards.0.owner.name', 'boards.1.owner.name', 'person'], /^SUBGRAPH_UNAVAILABLE$/);
    await expectRecovery();
  });

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['never answers', () => undefined],
    ['hangs in the middle of a body', (response) => response.write('{"data":{"person":{"na')],
    ['drips', drip],
    ['sends less than it promises', (response) => response.writeHead(200, { 'content-length': '99' }).end('{}')],
  ])('%s, and is reported as a timeout', async (_case, misbehave) => {
    server.behave((_request, response) => misbehave(response));

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ boards: withOwners(null, null), person: null });
    expectTyped(answer, ['boards.0.owner.name', 'boards.1.owner.name', 'person'], /^TIMEOUT$/);
    await expectRecovery();
  });

  test.each<[string, (response: ServerResponse) => unknown]>([
    ['sends nothing', (response) => response.end()],
    ['sends garbage', (response) => response.end(Buffer.from([0, 255, 254, 1, 200]))],
    ['sends a page', (response) => response.setHeader('content-type', 'text/html').end('<html>SECRET http://10.0.0.3</html>')],
    ['sends half of an answer as a whole', (response) => response.end('{"data":{"person":')],
    ['sends us elsewhere', (response) => response.writeHead(302, { location: server.url }).end()],
    ['sends a list', (response) => send(response, [{ data: { person: null } }])],
    ['sends a number', (response) => send(response, 7)],
    ['sends text', (response) => send(response, 'SECRET')],
    ['sends null', (response) => send(response, null)],
    ['sends nothing but null data', (response) => send(response, {})],
    ['sends null for data and no error', (response) => send(response, { data: null })],
    ['sends a list for data', (response) => send(response, { data: [] })],
    ['sends text for data', (response) => send(response, { data: 'SECRET' })],
    ['sends errors that are text', (response) => send(response, { data: null, errors: 'SECRET' })],
    ['sends errors that are an object', (response) => send(response, { data: null, errors: { message: 'SECRET' } })],
    ['sends errors that are no objects', (response) => send(response, { data: null, errors: ['SECRET', 7, null] })],
    ['sends errors without a message', (response) => send(response, { errors: [{ message: 7 }] })],
    ['sends no errors and no data', (response) => send(response, { errors: [] })],
    ['sends null for both', (response) => send(response, { data: null, errors: null })],
  ])('%s, and is reported as invalid', async (_case, misbehave) => {
    server.behave((_request, response) => misbehave(response));

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ boards: withOwners(null, null), person: null });
    expectTyped(answer, ['boards.0.owner.name', 'boards.1.owner.name', 'person'], /^SUBGRAPH_ANSWER_INVALID$/);
    await expectRecovery();
  });

  test('refuses every request', async () => {
    server.behave((_request, response) => void response.writeHead(401).end('<h1>SECRET</h1>'));

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ boards: withOwners(null, null), person: null });
    expect(new Set(answer.errors?.map(({ extensions }) => extensions.code))).toEqual(new Set(['UNAUTHENTICATED']));
    expect(JSON.stringify(answer)).not.toContain('SECRET');
    await expectRecovery();
  });

  test('sends more than the limit', async () => {
    const poured: Promise<number>[] = [];
    server.behave((_request, response) => poured.push(pour(response, 40 * MEGABYTE)));

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ boards: withOwners(null, null), person: null });
    expectTyped(answer, ['boards.0.owner.name', 'boards.1.owner.name', 'person'], /^SUBGRAPH_ANSWER_INVALID$/);
    for (const bytes of await Promise.all(poured)) expect(bytes).toBeLessThan(20 * MEGABYTE);
    await expectRecovery();
  });

  test('gets no Accept-Encoding header', async () => {
    server.requests.length = 0;

    await expectRecovery();

    expect(server.requests.length).toBeGreaterThan(0);
    for (const { headers } of server.requests) expect(headers).not.toHaveProperty('accept-encoding');
  });
});

describe('affects only the invalid field of a subgraph response, with', () => {
  test.each<[string, object, object, string]>([
    ['an object for text', { name: { first: 'SECRET' } }, { name: null }, 'person.name'],
    ['a list for text', { name: ['SECRET'] }, { name: null }, 'person.name'],
    ['a number for text', { name: 7 }, { name: null }, 'person.name'],
    ['text for a number', { age: 'SECRET' }, { age: null }, 'person.age'],
    ['a number that is too large', { age: 2 ** 31 }, { age: null }, 'person.age'],
    ['a number that is too small', { age: -(2 ** 31) - 1 }, { age: null }, 'person.age'],
    ['a fraction for a whole number', { age: 1.5 }, { age: null }, 'person.age'],
    ['an enum value that does not exist', { mood: 'SECRET' }, { mood: null }, 'person.mood'],
    ['text for a list', { tags: 'SECRET' }, { tags: null }, 'person.tags'],
    ['null in a list without nulls', { tags: ['a', null] }, { tags: null }, 'person.tags.1'],
    ['a list for an object', { friend: [{ name: 'SECRET' }] }, { friend: null }, 'person.friend'],
    ['an object for a list', { friends: { name: 'SECRET' } }, { friends: null }, 'person.friends'],
  ])('%s', async (_case, wrong, spoiled, path) => {
    server.behave(async (request, response) => {
      const { data } = await people.execute(request);
      send(response, isEntities(request) ? { data } : { data: { person: { ...(data!['person'] as object), ...wrong } } });
    });

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ ...WELL, person: { ...PERSON, ...spoiled } });
    expectTyped(answer, [path], /^SUBGRAPH_ANSWER_INVALID$/);
    await expectRecovery();
  });

  test.each([
    ['text for an object', { friend: 'SECRET' }, { friend: null }, 'person.friend'],
    ['a number in a list of objects', { friends: [7] }, { friends: [null] }, 'person.friends.0'],
  ])('%s', async (_case, wrong, spoiled, path) => {
    server.behave(async (request, response) => {
      const { data } = await people.execute(request);
      send(response, isEntities(request) ? { data } : { data: { person: { ...(data!['person'] as object), ...wrong } } });
    });

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ ...WELL, person: { ...PERSON, ...spoiled } });
    expectTyped(answer, [path], /^SUBGRAPH_ANSWER_INVALID$/);
    await expectRecovery();
  });

  test.each<[string, unknown]>([
    ['null', null],
    ['an empty list', []],
  ])('%s for errors: no error', async (_case, errors) => {
    server.behave(async (request, response) => send(response, { ...(await people.execute(request)), errors }));

    const answer = await gateway.ask(QUERY);

    expect(answer.errors).toBeUndefined();
    expect(answer.data).toEqual(WELL);
  });

  test('ignores a byte order mark before the response', async () => {
    server.behave(async (request, response) => response.end(`\ufeff${JSON.stringify(await people.execute(request))}`));

    const answer = await gateway.ask(QUERY);

    expect(answer.errors).toBeUndefined();
    expect(answer.data).toEqual(WELL);
  });

  test('keeps good data beside invalid errors, and reports them once', async () => {
    server.behave(async (request, response) => {
      const { data } = await people.execute(request);
      send(
        response,
        isEntities(request) ? { data } : { data, errors: [null, 'SECRET', { message: 'No.', extensions: { code: 'HIDDEN' } }] },
      );
    });

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual(WELL);
    expect(answer.errors).toMatchObject([
      { path: ['person'], extensions: { code: 'SUBGRAPH_ANSWER_INVALID', retryable: false } },
      { path: ['person'], message: 'No.', extensions: { code: 'HIDDEN' } },
    ]);
    expect(JSON.stringify(answer)).not.toContain('SECRET');
  });
});

test('fetches a malformed response once, and keeps the breaker closed', async () => {
  const patient = httpTransport('people', server.url, { isExternal: true, resilience: { retry: { initialDelayMs: 1 } } });
  const other = await openGatewayForTest({ subgraphs: [boards, people], transports: { boards, people: patient } });
  server.behave((_request, response) => send(response, { data: { person: [1] }, errors: null }));
  server.requests.length = 0;

  for (let time = 0; time < 12; time += 1) {
    const { data, errors } = await other.ask('{ person(id: "p1") { name } }', { time });
    expect(data).toEqual({ person: null });
    expect(errors).toMatchObject([{ extensions: { code: 'SUBGRAPH_ANSWER_INVALID', retryable: false } }]);
  }

  expect(server.requests).toHaveLength(12);
  server.behave();
  expect((await other.ask(QUERY)).data).toEqual(WELL);
  await other.close();
  await patient.close();
});

describe('reports entities that do not match the request as missing, when they are', () => {
  const one = { __typename: 'Person', name: 'SECRET' };
  const OWNERS = ['boards.0.owner.name', 'boards.1.owner.name'];

  test.each<[string, unknown]>([
    ['too few', [one]],
    ['too many', [one, one, one]],
    ['none', []],
    ['no list', one],
    ['nothing', null],
    ['lists', [[one], [one]]],
    ['text', ['SECRET', 'SECRET']],
  ])('%s', async (_case, entities) => {
    server.behave(async (request, response) =>
      send(response, isEntities(request) ? { data: { _entities: entities } } : await people.execute(request)),
    );

    const answer = await gateway.ask(QUERY);

    expect(answer.data).toEqual({ ...WELL, boards: withOwners(null, null) });
    expectTyped(answer, OWNERS, /^SUBGRAPH_ANSWER_INVALID$/);
    await expectRecovery();
  });

  test('returns null for a missing entity, and keeps the others', async () => {
    server.behave(async (request, response) => {
      const { data } = await people.execute(request);
      send(response, { data: isEntities(request) ? { _entities: [null, (data!['_entities'] as unknown[])[1]] } : data });
    });

    const { data, errors } = await gateway.ask(QUERY);

    expect(data).toEqual({ ...WELL, boards: withOwners(null, 'Ada p2') });
    expect(errors).toBeUndefined();
    await expectRecovery();
  });
});

describe("reports an error of a subgraph at the client's path, when it", () => {
  const error = { message: 'No.', extensions: { code: 'PERSON_HIDDEN' } };

  test.each<[string, object, string[]]>([
    ['has a path', { data: { person: null }, errors: [{ ...error, path: ['person'] }] }, ['person']],
    ['has none', { data: { person: null }, errors: [error] }, ['person']],
    ['has none, and there are no data', { data: null, errors: [error] }, ['person']],
    ['comes without data', { errors: [error] }, ['person']],
    ['names a field that nobody asked for', { data: { person: null }, errors: [{ ...error, path: ['wrong', 3, 'way'] }] }, ['']],
    ['names no place at all', { data: { person: null }, errors: [{ ...error, path: 'person' }] }, ['person']],
    ['names a place of nonsense', { data: { person: null }, errors: [{ ...error, path: [{}, null] }] }, ['person']],
    ['names the empty path', { data: { person: null }, errors: [{ ...error, path: [] }] }, ['person']],
    ['comes with 500', { status: 500, data: null, errors: [error] }, ['person']],
  ])('%s', async (_case, { status = 200, ...answered }: { status?: number }, paths) => {
    server.behave(async (request, response) => {
      if (isEntities(request)) return send(response, await people.execute(request));
      return send(response.writeHead(status), answered);
    });

    const { data, errors = [] } = await gateway.ask(QUERY);

    expect(data).toEqual({ ...WELL, person: null });
    expect(errors.map(({ path }) => path?.join('.') ?? '')).toEqual(paths);
    expect(errors).toMatchObject([{ message: 'No.', extensions: { code: 'PERSON_HIDDEN', retryable: false } }]);
    await expectRecovery();
  });
});

describe('reports an error without a path at every field that it cost, when', () => {
  const error = { message: 'Too many.', extensions: { code: 'QUOTA' } };
  const NAMES = ['boards.0.owner.name', 'boards.1.owner.name', 'boards.0.owner.age', 'boards.1.owner.age'].sort();

  test.each<[string, object, string[]]>([
    ['nothing is there', { data: { _entities: [null, null] }, errors: [error] }, NAMES],
    ['there are no data', { errors: [error] }, NAMES],
    ['it comes with 500', { status: 500, errors: [error] }, NAMES],
    ['it is about all entities', { data: null, errors: [{ ...error, path: ['_entities'] }] }, NAMES],
    [
      'it is about one entity',
      { data: { _entities: [{ name: 'Ada p1', age: 36 }, null] }, errors: [{ ...error, path: ['_entities', 1] }] },
      ['boards.1.owner.age', 'boards.1.owner.name'],
    ],
    [
      'some are there',
      { data: { _entities: [null, { name: 'Ada p2', age: 36 }] }, errors: [error] },
      ['boards.0.owner.age', 'boards.0.owner.name'],
    ],
  ])('%s', async (_case, { status = 200, ...answered }: { status?: number }, paths) => {
    server.behave((_request, response) => send(response.writeHead(status), answered));

    const { errors = [] } = await gateway.ask('{ boards { owner { name age } } }');

    expect(errors.map(({ path }) => path?.join('.') ?? '').sort()).toEqual(paths);
    expect(new Set(errors.map(({ extensions }) => extensions.code))).toEqual(new Set(['QUOTA']));
    await expectRecovery();
  });
});

describe('a subgraph that is down', () => {
  test('gets no request after five failures in a row, and one again after a second', async () => {
    server.behave((_request, response) => (response.socket as Socket).destroy());
    for (let time = 0; time < 5; time += 1) await gateway.ask(QUERY);
    server.behave();
    server.requests.length = 0;

    const answer = await gateway.ask(QUERY);
    expect(answer.data).toEqual({ boards: withOwners(null, null), person: null });
    expectTyped(answer, ['boards.0.owner.name', 'boards.1.owner.name', 'person'], /^SUBGRAPH_UNAVAILABLE$/);
    expect(server.requests).toEqual([]);

    clock += 1_000;
    // One call at a time is tried, so the first ones may still be refused.
    while ((await gateway.ask('{ person(id: "p1") { name } }')).errors);
    await expectRecovery();
  });
});
