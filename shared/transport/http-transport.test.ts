import { afterEach, describe, expect, test } from '@jest/globals';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { buildSchema, type ExecutionResult } from 'graphql';
import { makeServer } from 'graphql-ws';
import { Problem, unavailable } from '../base/errors.ts';
import { httpTransport, type HttpTransportOptions } from './http-transport.ts';
import type { Identity } from '../base/identity.ts';
import { createLog } from '../base/log.ts';
import { serve } from './server.ts';
import { serveSockets, type SocketExtra } from './websocket-server.ts';
import { plainSubgraph } from '../testing/plain-subgraph.ts';
import type { SubgraphRequest } from '../kit/transport.ts';
import { problemToJson, subgraphUnavailable } from './problem-json.ts';

const as = (id: string): Identity => ({ issuer: 'test', viewer: { id, roles: [], scopes: [] } });
const request = (query: string, more: Partial<SubgraphRequest> = {}): SubgraphRequest => ({
  query,
  identity: as('usr_1'),
  correlationId: 'test-correlation',
  deadline: Date.now() + 10_000,
  ...more,
});
const command = (name: string, more = {}) => ({
  command: name,
  input: { a: 1 },
  identity: as('usr_1'),
  correlationId: 'test-correlation',
  deadline: Date.now() + 10_000,
  ...more,
});

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

function transportTo(url: string, options?: HttpTransportOptions) {
  const transport = httpTransport('notes', url, options);
  opened.push(() => transport.close());
  return transport;
}

/** A subgraph that does as it likes, and how often it was asked. */
async function rogue(listener: RequestListener) {
  const asked: string[] = [];
  const server = createServer((incoming, outgoing) => {
    asked.push(incoming.url ?? '');
    listener(incoming, outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

function notes() {
  const live = { open: 0, released: Promise.withResolvers<void>() };
  const subgraph = plainSubgraph({
    name: 'notes',
    typeDefs: `
      type Query { reader: String  echo(text: String!): String }
      type Mutation { write: Boolean }
      type Subscription { ticks: String  refused: String  rights: String }
    `,
    resolvers: {
      Query: {
        reader: (_root: unknown, _args: unknown, { identity }: SubgraphRequest) => identity.viewer?.id,
        echo: (_root: unknown, { text }: { text: string }) => text,
      },
      Mutation: { write: () => true },
      Subscription: {
        ticks: {
          async *subscribe(_root: unknown, _args: unknown, { identity }: SubgraphRequest) {
            live.open += 1;
            try {
              for (let tick = 1; ; tick += 1) {
                yield { ticks: `${identity.viewer?.id} ${tick}` };
                await new Promise((resolve) => setImmediate(resolve));
              }
            } finally {
              live.open -= 1;
              live.released.resolve();
            }
          },
        },
        refused: {
          subscribe: () => {
            throw new Problem('FORBIDDEN', 'You may not hear this.');
          },
        },
      },
    },
    commands: {
      'notes.echo': ({ input, idempotencyKey, identity }) => ({ input, idempotencyKey, viewer: identity.viewer?.id }),
      'notes.refuse': () => {
        throw new Problem('NOTE_LOCKED', 'The note is locked.', { noteId: 'nte_1', typename: 'NoteLockedError', path: ['id'] });
      },
      'notes.break': () => {
        throw new Error('secret');
      },
    },
  });
  return { subgraph, live };
}

async function served(port = 0) {
  const { subgraph, live } = notes();
  const running = await serve(subgraph, { port });
  const stop = () => running.close();
  opened.push(stop);
  return { url: running.url, port: running.port, stop, live, subgraph };
}

/** What every caller may see of a subgraph that does not answer, and nothing else. */
function expectUnavailable(error: unknown): void {
  expect(error).toBeInstanceOf(Problem);
  const { message, extensions } = error as Problem;
  expect({ message, extensions }).toEqual({
    message: 'The subgraph notes cannot be reached at the moment.',
    extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'notes', retryable: true },
  });
}

const expectTooLate = (error: unknown): void => expect(error).toMatchObject({ code: 'TIMEOUT', facts: { subgraph: 'notes' } });

const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => error,
  );

/** By the breaker: no attempt was made that could have failed. */
const isRefusedUnasked = (error: unknown): boolean => (error as Problem).cause === undefined;

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(10);
}

describe('a request', () => {
  test('brings back the answer, asked as the viewer', async () => {
    const { url, subgraph } = await served();

    const answer = await transportTo(url).execute(
      request('query Q($text: String!) { reader echo(text: $text) }', { variables: { text: 'é\u2028' }, operationName: 'Q' }),
    );

    expect(answer).toEqual({ data: { reader: 'usr_1', echo: 'é\u2028' } });
    expect(subgraph.asked[0]).toMatchObject({ correlationId: 'test-correlation', deadline: expect.any(Number) });
  });

  const ask = (url: string) =>
    transportTo(url, { timeoutMs: 150, commandTimeoutMs: 150, maxResponseBytes: 10_000 }).execute(
      request('mutation { board: write { id } }'),
    );

  test.each<[string, RequestListener]>([
    ['a page', (_in, out) => out.end('<html>nginx</html>')],
    ['nothing', (_in, out) => out.end()],
    ['a list', (_in, out) => out.end('[{"data":{}}]')],
    ['an empty object', (_in, out) => out.end('{}')],
    ['errors that are no list', (_in, out) => out.end('{"errors":"many"}')],
    ['that there is nothing', (_in, out) => out.writeHead(404).end('Not found at http://10.0.0.3:4001')],
    ['more than may be read', (_in, out) => out.end(JSON.stringify({ data: { text: 'x'.repeat(20_000) } }))],
  ])('answered with %s is a subgraph that answers wrongly', async (_case, listener) => {
    const { url } = await rogue(listener);

    const error = await failureOf(ask(url));

    expect(error).toMatchObject({ code: 'SUBGRAPH_ANSWER_INVALID', retryable: false, facts: { subgraph: 'notes' } });
    expect(JSON.stringify(error)).not.toContain('10.0.0.3');
  });

  test('answered wrongly is asked once, and the subgraph goes on being asked', async () => {
    const { url, asked } = await rogue((_in, out) => out.end('{}'));
    const transport = transportTo(url, { resilience: { retry: { initialDelayMs: 1 } } });

    for (let time = 0; time < 7; time += 1) await failureOf(transport.execute(request('{ reader }')));

    expect(asked).toHaveLength(7);
  });

  test.each<[string, RequestListener]>([
    ['with silence', () => undefined],
    ['without an end', (_in, out) => void (out.writeHead(200), out.write('{"data":'))],
  ])('answered %s is too late', async (_case, listener) => {
    const { url } = await rogue(listener);

    expect(await failureOf(ask(url))).toMatchObject({ code: 'TIMEOUT', retryable: true, facts: { subgraph: 'notes' } });
  });

  test('late with a mutation is waited for longer than with a query; after that, the change may have been made', async () => {
    const { url } = await rogue((_in, out) => void setTimeout(() => out.end('{"data":{"write":true}}'), 400));
    const slow = (query: string, commandTimeoutMs: number) =>
      transportTo(url, { timeoutMs: 100, commandTimeoutMs }).execute(request(query));

    expect(await slow('mutation { write }', 20_000)).toEqual({ data: { write: true } });
    expectTooLate(await failureOf(slow('{ write }', 20_000)));
    expect(await failureOf(slow('mutation { write }', 100))).toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringMatching(/may have been made/),
      retryable: true,
    });
  });

  test.each<[string, RequestListener]>([
    ['half an answer', (_in, out) => void (out.writeHead(200, { 'content-length': '100' }), out.write('{"data"'), out.destroy())],
    ['a gateway error', (_in, out) => out.writeHead(502).end('Bad gateway at http://10.0.0.3:4001')],
    ['that it does not know the key', (_in, out) => out.writeHead(401).end('{"errors":[{"message":"Sign in to do this."}]}')],
  ])('answered with %s is an unavailable subgraph', async (_case, listener) => {
    const { url } = await rogue(listener);

    expectUnavailable(await failureOf(ask(url)));
  });

  test('to a subgraph that is not there is refused without its address', async () => {
    const { url, stop } = await served();
    await stop();

    const error = await failureOf(transportTo(url, { resilience: { retry: { attempts: 0 } } }).execute(request('{ reader }')));

    expectUnavailable(error);
    expect(JSON.stringify(error)).not.toContain('127.0.0.1');
  });

  test('is not waited for beyond its deadline', async () => {
    const { url } = await rogue(() => undefined);
    const transport = transportTo(url);
    const patient = failureOf(transport.execute(request('{ reader }')));

    const hasty = failureOf(transport.execute(request('{ reader }', { deadline: Date.now() + 100 })));

    expectTooLate(await Promise.race([hasty, patient.then(() => 'as late as one that may take longer')]));
  });

  test('is not sent when its deadline has passed', async () => {
    const { url, asked } = await rogue(() => undefined);

    expectTooLate(await failureOf(transportTo(url).execute(request('{ reader }', { deadline: Date.now() - 1 }))));

    expect(asked).toEqual([]);
  });

  test('that waits for its turn on a connection is not sent when its time is over', async () => {
    const { url, asked } = await rogue(() => undefined);
    const transport = transportTo(url, { connections: 1, resilience: { retry: { attempts: 0 } } });
    const soon = () => transport.execute(request('{ reader }', { deadline: Date.now() + 100 }));

    const failures = await Promise.all([failureOf(soon()), failureOf(soon())]);

    for (const failure of failures) expectTooLate(failure);
    expect(asked).toEqual(['/graphql']);
  });

  test('is not read further than the largest answer', async () => {
    const { url } = await rogue((_in, out) => out.end(JSON.stringify({ data: { reader: 'a'.repeat(2_000) } })));

    expect(await failureOf(transportTo(url, { maxResponseBytes: 1_000 }).execute(request('{ reader }')))).toMatchObject({
      code: 'SUBGRAPH_ANSWER_INVALID',
    });
  });

  test('that only reads is tried again, one that writes never', async () => {
    const { url, asked } = await rogue((_in, out) => out.writeHead(502).end());
    const transport = transportTo(url, { resilience: { retry: { initialDelayMs: 1 }, breaker: { failureThreshold: 100 } } });

    await failureOf(transport.execute(request('{ reader }')));
    expect(asked).toHaveLength(4);
    await failureOf(transport.execute(request('mutation { write }')));
    expect(asked).toHaveLength(5);
  });

  test.each<[string, RequestListener]>([
    ['with an error of the server', (_in, out) => out.writeHead(500).end('{"message":"Internal Server Error"}')],
    ['with what is no GraphQL', (_in, out) => out.end('<html>')],
    ['by closing the connection', (_in, out) => out.destroy()],
    ['never', () => undefined],
  ])('that is answered %s as often as anybody likes does not take the subgraph from others', async (_how, misbehave) => {
    const { url } = await rogue(async (incoming, outgoing) => {
      if (incoming.url === '/ready') return outgoing.end('{}');
      const { query } = (await json(incoming)) as SubgraphRequest;
      return query === '{ bad }' ? misbehave(incoming, outgoing) : outgoing.end('{"data":{"reader":"me"}}');
    });
    const transport = transportTo(url, { timeoutMs: 1_100, resilience: { retry: { attempts: 0 } } });

    await Promise.all(Array.from({ length: 12 }, () => failureOf(transport.execute(request('{ bad }')))));

    expect(await transport.execute(request('{ reader }'))).toEqual({ data: { reader: 'me' } });
  });

  test('to a process that has died is refused at once after five failures, and reaches it within two seconds of its return', async () => {
    const first = await served();
    const transport = transportTo(first.url, { resilience: { retry: { initialDelayMs: 1 } } });
    expect(await transport.execute(request('{ reader }'))).toEqual({ data: { reader: 'usr_1' } });
    await first.stop();
    for (let i = 0; i < 5; i += 1) expectUnavailable(await failureOf(transport.execute(request('{ reader }'))));
    await until(async () => isRefusedUnasked(await failureOf(transport.execute(request('{ reader }')))));

    await served(first.port);
    const since = performance.now();
    await until(async () => (await failureOf(transport.execute(request('{ reader }')))) === undefined);

    expect(performance.now() - since).toBeLessThan(2_000);
  });

  test('that an overloaded subgraph would not begin is not sent again, and says when to come back', async () => {
    const { url, asked } = await rogue((_in, out) => {
      const extensions = { code: 'OVERLOADED', retryable: true, retryAfterSeconds: 7 };
      out.writeHead(503).end(JSON.stringify({ errors: [{ message: 'Too much.', extensions }] }));
    });

    const error = await failureOf(transportTo(url).execute(request('{ reader }')));

    expect(error).toMatchObject({ code: 'OVERLOADED', retryable: true, facts: { retryAfterSeconds: 7 } });
    expect(asked).toHaveLength(1);
  });

  test('is given up at its deadline, whatever number of attempts is left', async () => {
    const unwell: RequestListener = (_in, out) => void setTimeout(() => out.writeHead(502).end(), 50);
    const [{ url, asked }, other] = [await rogue(unwell), await rogue(unwell)];
    const patient = failureOf(transportTo(other.url).execute(request('{ reader }')));

    const hasty = failureOf(transportTo(url).execute(request('{ reader }', { deadline: Date.now() + 260 })));

    expectUnavailable(await Promise.race([hasty, patient.then(() => 'as late as one that may take longer')]));
    expect(asked).toHaveLength(2);
  });

  test('that was given too little time is not tried again and does not count against the subgraph', async () => {
    let awake = false;
    const { url } = await rogue((_in, out) => void (awake && out.end('{"data":{"reader":"usr_1"}}')));
    const transport = transportTo(url);
    for (let i = 0; i < 6; i += 1) expectTooLate(await failureOf(transport.execute(request('{ reader }', { deadline: Date.now() + 30 }))));

    awake = true;

    expect(await transport.execute(request('{ reader }'))).toEqual({ data: { reader: 'usr_1' } });
  });

  test('that nobody waits for any more is given up at once, not tried again, and does not count against the subgraph', async () => {
    const closed = Promise.withResolvers<void>();
    const left = new AbortController();
    const { url, asked } = await rogue((_incoming, outgoing) => {
      outgoing.once('close', () => closed.resolve());
      if (asked.length === 1) left.abort();
      else outgoing.end('{"data":{"reader":"me"}}');
    });
    const transport = transportTo(url, { resilience: { breaker: { failureThreshold: 1 } } });

    await expect(transport.execute(request('{ reader }', { signal: left.signal }))).rejects.toThrow(Problem);
    await closed.promise;

    expect(await transport.execute(request('{ reader }'))).toEqual({ data: { reader: 'me' } });
    expect(asked).toHaveLength(2);
  });
});

describe('a command', () => {
  test('brings back its result', async () => {
    const { url } = await served();

    await expect(transportTo(url).call(command('notes.echo', { idempotencyKey: 'k-1' }))).resolves.toEqual({
      input: { a: 1 },
      idempotencyKey: 'k-1',
      viewer: 'usr_1',
    });
  });

  test('rejects with the Problem of the callee, facts and all', async () => {
    const { url } = await served();

    const error = await failureOf(transportTo(url).call(command('notes.refuse')));

    expect(error).toBeInstanceOf(Problem);
    expect(error).toMatchObject({
      code: 'NOTE_LOCKED',
      message: 'The note is locked.',
      typename: 'NoteLockedError',
      inputPath: ['id'],
      facts: { noteId: 'nte_1' },
      retryable: false,
    });
  });

  test.each<[string, Problem]>([
    ['refuses', new Problem('NOTE_LOCKED', 'The note is locked.')],
    ['cannot reach somebody else', subgraphUnavailable('boards')],
    ['has lost its store', unavailable('store')],
  ])('of a subgraph that %s does not count against it', async (_case, problem) => {
    const { url, asked } = await rogue((_in, out) => out.writeHead(503).end(JSON.stringify({ error: problemToJson(problem) })));
    const transport = transportTo(url);

    for (let i = 0; i < 6; i += 1) expect(await failureOf(transport.call(command('notes.lock')))).toMatchObject({ code: problem.code });

    expect(asked).toHaveLength(6);
  });

  test('that breaks the callee rejects with a Problem that tells nothing', async () => {
    const { url } = await served();

    const error = await failureOf(transportTo(url).call(command('notes.break')));

    expect(error).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(JSON.stringify(error)).not.toContain('secret');
  });

  test.each<[string, RequestListener]>([
    ['a page', (_in, out) => out.end('<html>nginx</html>')],
    ['an empty object', (_in, out) => out.end('{}')],
    ['a GraphQL answer', (_in, out) => out.end('{"data":{}}')],
    ['a refusal without a code', (_in, out) => out.writeHead(400).end('{"error":"no"}')],
  ])('answered with %s is an unavailable subgraph', async (_case, listener) => {
    const { url } = await rogue(listener);

    expectUnavailable(await failureOf(transportTo(url).call(command('notes.echo'))));
  });

  test('is tried again only when it has an idempotency key', async () => {
    const { url, asked } = await rogue((_in, out) => out.writeHead(502).end());
    const transport = transportTo(url, { resilience: { retry: { initialDelayMs: 1 }, breaker: { failureThreshold: 100 } } });

    await failureOf(transport.call(command('notes.echo')));
    expect(asked).toHaveLength(1);
    await failureOf(transport.call(command('notes.echo', { idempotencyKey: 'k-1' })));
    expect(asked).toHaveLength(5);
  });
});

describe('a subscription', () => {
  const stream = async (answer: Promise<AsyncIterableIterator<ExecutionResult> | ExecutionResult>) =>
    (await answer) as AsyncIterableIterator<ExecutionResult>;

  test('brings events to each viewer over one socket', async () => {
    const { url } = await served();
    const transport = transportTo(url);

    const first = await stream(transport.subscribe(request('subscription { ticks }', { identity: as('usr_1') })));
    const second = await stream(transport.subscribe(request('subscription { ticks }', { identity: as('usr_2') })));

    expect((await first.next()).value).toEqual({ data: { ticks: 'usr_1 1' } });
    expect((await second.next()).value).toEqual({ data: { ticks: 'usr_2 1' } });
    expect((await first.next()).value).toEqual({ data: { ticks: 'usr_1 2' } });
  });

  test('ends at the subgraph when it is returned', async () => {
    const { url, live } = await served();
    const events = await stream(transportTo(url).subscribe(request('subscription { ticks }')));
    await events.next();
    expect(live.open).toBe(1);

    await events.return?.();

    await live.released.promise;
    expect(live.open).toBe(0);
  });

  test('that is refused says so and ends', async () => {
    const { url } = await served();

    const events = await stream(transportTo(url).subscribe(request('subscription { refused }')));

    expect((await events.next()).value).toMatchObject({
      errors: [{ message: 'You may not hear this.', extensions: { code: 'FORBIDDEN' } }],
    });
    expect((await events.next()).done).toBe(true);
  });

  test('ends with a retryable error when the subgraph goes away, and can be begun again when it is back', async () => {
    const first = await served();
    const transport = transportTo(first.url);
    const events = await stream(transport.subscribe(request('subscription { ticks }')));
    await events.next();

    await first.stop();
    let last: ExecutionResult | undefined;
    for await (const event of events) last = event;

    expectUnavailable(last?.errors?.[0]);
    await served(first.port);
    const again = await stream(transport.subscribe(request('subscription { ticks }')));
    expect((await again.next()).value).toEqual({ data: { ticks: 'usr_1 1' } });
  });

  test('to a subgraph that is not there is refused without its address', async () => {
    const { url, stop } = await served();
    await stop();

    const events = await stream(transportTo(url).subscribe(request('subscription { ticks }')));

    expectUnavailable((await events.next()).value.errors[0]);
    expect((await events.next()).done).toBe(true);
  });
});

describe('a subgraph that is not ours', () => {
  const forwarded = { authorization: 'Bearer theirs' };

  test('is asked at exactly its address, with the headers that are handed on and no identity', async () => {
    const seen: { url: string | undefined; headers: IncomingHttpHeaders }[] = [];
    const { url } = await rogue(({ url: path, headers }, outgoing) => {
      seen.push({ url: path, headers });
      outgoing.setHeader('content-type', 'application/json').end('{"data":{"reader":"me"}}');
    });
    const transport = transportTo(`${url}/api/v1?tenant=7`, { isExternal: true });

    const answer = await transport.execute(request('{ reader }', { identity: { ...as('usr_1'), forwarded } }));

    expect(answer).toEqual({ data: { reader: 'me' } });
    expect(seen[0]?.url).toBe('/api/v1?tenant=7');
    expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer theirs', 'content-type': 'application/json' });
    expect(seen[0]?.headers).not.toHaveProperty('x-internal-key');
  });

  test.each([
    ['401 and a page', 401, '<h1>Who are you?</h1>', 'UNAUTHENTICATED'],
    ['403 and JSON that is no answer', 403, '{"detail":"no"}', 'FORBIDDEN'],
  ])('may refuse a caller by %s, as often as it likes, and is there for the next one', async (_how, status, body, code) => {
    const { url } = await rogue(({ headers }, outgoing) => {
      if (headers.authorization === 'Bearer theirs') outgoing.end('{"data":{"reader":"me"}}');
      else outgoing.writeHead(status).end(body);
    });
    const transport = transportTo(url, { isExternal: true });
    const ask = (headers: Record<string, string>) =>
      transport.execute(request('{ reader }', { identity: { ...as('usr_1'), forwarded: headers } }));

    for (let attempt = 0; attempt < 12; attempt += 1) await expect(ask({})).rejects.toMatchObject({ code, retryable: false });

    expect(await ask(forwarded)).toEqual({ data: { reader: 'me' } });
  });

  test('is believed what it says of a caller in GraphQL, whatever the status', async () => {
    const { url } = await rogue((_incoming, outgoing) => void outgoing.writeHead(401).end('{"errors":[{"message":"Sign in."}]}'));

    const answer = await transportTo(url, { isExternal: true }).execute(request('{ reader }'));

    expect(answer).toEqual({ errors: [{ message: 'Sign in.' }] });
  });

  test.each<[string, RequestListener]>([
    ['by another protocol', (_in, out) => out.writeHead(200, { 'content-type': 'text/event-stream' }).end()],
    ['not at all', (_in, out) => out.writeHead(404).end()],
  ])('that streams %s is told so, and not to be down', async (_case, listener) => {
    const { url } = await rogue(listener);

    const events = (await transportTo(url, { isExternal: true }).subscribe(
      request('subscription { ticks }'),
    )) as AsyncGenerator<ExecutionResult>;

    expect((await events.next()).value).toMatchObject({ errors: [{ code: 'SUBSCRIPTION_NOT_SUPPORTED', retryable: false }] });
    expect((await events.next()).done).toBe(true);
  });

  /** A subgraph whose stream goes on for ever; what each connection began with, and how many of them are open. */
  async function ticking() {
    const begun: unknown[] = [];
    const server = createServer();
    const schema = buildSchema('type Query { a: Int } type Subscription { ticks: Int }');
    const protocol = makeServer<Record<string, unknown>, SocketExtra>({
      schema,
      onConnect: ({ connectionParams }) => void begun.push(connectionParams),
      async *subscribe() {
        for (let ticks = 1; ; ticks += 1) {
          yield { data: { ticks } };
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      },
    });
    const sockets = serveSockets({ server, path: '/live/here', protocol, maxPayload: 10_000, log: createLog('test') });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(
      () => sockets.close(),
      async () => void server.close(),
    );
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/live/here`, begun };
  }

  test('goes on with every stream that is open when there are too many callers, and refuses the next one', async () => {
    const { url, begun } = await ticking();
    const transport = transportTo(url, { isExternal: true, callerSockets: 2 });
    const of = (name: string) => ({ identity: { ...as(name), forwarded: { authorization: name } } });
    const open = (name: string) => transport.subscribe(request('subscription { ticks }', of(name)));
    const streams = (await Promise.all([open('ann'), open('bob'), open('ann')])) as AsyncGenerator<ExecutionResult>[];
    const next = () => Promise.all(streams.map(async (stream) => (await stream.next()).value as ExecutionResult));
    await next();

    await expect(open('cid')).rejects.toMatchObject({ code: 'TOO_MANY_OPERATIONS', retryable: true });

    expect(await next()).toEqual(Array(3).fill({ data: { ticks: 2 } }));
    await streams[1]!.return(undefined);
    const third = (await open('cid')) as AsyncGenerator<ExecutionResult>;
    expect((await third.next()).value).toEqual({ data: { ticks: 1 } });
    expect((await streams[0]!.next()).done).toBe(false);
    expect(begun).toEqual(['ann', 'bob', 'cid'].map((authorization) => ({ authorization })));
  });

  test('streams over graphql-ws at the same address, a connection for each set of headers', async () => {
    const begun: unknown[] = [];
    const server = createServer();
    const schema = buildSchema('type Query { a: Int } type Subscription { ticks: Int }');
    const protocol = makeServer<Record<string, unknown>, SocketExtra>({
      schema,
      onConnect: ({ connectionParams }) => void begun.push(connectionParams),
      async *subscribe() {
        yield { data: { ticks: 1 } };
      },
    });
    const sockets = serveSockets({ server, path: '/live/here', protocol, maxPayload: 10_000, log: createLog('test') });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    opened.push(
      () => sockets.close(),
      async () => void server.close(),
    );
    const transport = transportTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}/live/here`, { isExternal: true });
    const ticks = async (identity: Identity) => {
      const stream = (await transport.subscribe(request('subscription { ticks }', { identity }))) as AsyncIterable<ExecutionResult>;
      return Array.fromAsync(stream, ({ data }) => data?.['ticks']);
    };

    expect(await ticks({ ...as('usr_1'), forwarded })).toEqual([1]);
    expect(await ticks(as('usr_1'))).toEqual([1]);
    expect(begun).toEqual([forwarded, {}]);
  });
});
