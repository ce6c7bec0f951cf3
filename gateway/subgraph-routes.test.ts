import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Identity } from '#shared/base/identity.ts';
import { routeEntries } from '#shared/kit/define-route.ts';
import { webhookEventsOf } from '#shared/kit/webhook.ts';
import { jobRunsOf } from '#shared/jobs/store.ts';
import {
  LARGE,
  read,
  REMOVED,
  routes,
  signatureOf,
  subgraphWithRoutes,
  type BoardOrdered,
} from '#shared/testing/fixture-subgraph/routes.ts';
import { open, type TestApp } from '#shared/testing/open.ts';
import { httpTransport, type HttpTransport } from '#shared/transport/http-transport.ts';
import { serve, type Served } from '#shared/transport/server.ts';
import { openGatewayForTest, type TestGateway } from './testing/open-gateway.ts';

const ENTRIES = routeEntries('boards', routes);
const PLACES = 4;
const KEY = 'k'.repeat(40);

let counted = 0;
const ordered = (rest: Partial<BoardOrdered> = {}): BoardOrdered => ({ id: `evt_${(counted += 1)}`, title: `board ${counted}`, ...rest });

/** Waits for what another part does in its own time. */
async function until(isSo: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = Date.now() + 15_000; !(await isSo()); await delay(20)) if (Date.now() > end) throw new Error('It did not come to that.');
}

describe.each(['in process', 'over HTTP'])('routes %s', (mode) => {
  let app: TestApp;
  let gateway: TestGateway;
  let served: Served | undefined;
  let transport: HttpTransport | undefined;
  let origin: string;
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'routes-'));
    app = await open(subgraphWithRoutes, { environment: { UPLOADS_DIR: directory } });
    const runtime = app.runtime();
    if (mode === 'over HTTP') {
      served = await serve(runtime, { port: 0 });
      transport = httpTransport('boards', served.url);
    }
    gateway = await openGatewayForTest({
      subgraphs: [runtime],
      transports: { boards: transport ?? runtime },
      routes: ENTRIES,
      sockets: { perAddress: 1_000, perViewer: PLACES },
      isRevoked: async (sessionId) => sessionId === 'ses_ended',
    });
    origin = new URL(gateway.url).origin;
  });
  afterAll(async () => {
    await gateway.close();
    await transport?.close();
    await served?.close();
    await app.close();
    await rm(directory, { recursive: true, force: true });
  });

  const send = (event: BoardOrdered, { provider = 'acme', headers = {} as Record<string, string>, text = JSON.stringify(event) } = {}) =>
    fetch(`${origin}/hooks/boards/${provider}`, { method: 'POST', body: text, headers: { 'x-signature': signatureOf(text), ...headers } });
  const boards = (title: string): Promise<number> => app.context().models.Board.countDocuments({ title }).comment('plan: of a test');
  const bearer = async (id: string, roles: string[] = [], sessionId?: string) => ({
    authorization: `Bearer ${await gateway.tokenFor({ id, roles, ...(sessionId && { sessionId }) })}`,
  });

  describe('webhook', () => {
    test('answers 200 and runs the action once, however often and at once the event comes', async () => {
      const event = ordered();

      const statuses = await Promise.all(Array.from({ length: 6 }, async () => (await send(event)).status));
      await app.settled();
      statuses.push((await send(event)).status);
      await app.settled();

      expect(statuses).toEqual(Array(7).fill(200));
      expect(await boards(event.title)).toBe(1);
    });

    test('takes events of two third parties with one id for two events', async () => {
      const event = ordered();

      await send(event);
      await send(event, { provider: 'other' });
      await app.settled();

      expect(await boards(event.title)).toBe(2);
    });

    test('answers before a slow action is done', async () => {
      const event = ordered({ takesMs: 1_500 });

      expect((await send(event)).status).toBe(200);

      expect(await boards(event.title)).toBe(0);
      await app.settled();
      expect(await boards(event.title)).toBe(1);
    });

    test('keeps the event of an action that fails for good, and none of its changes', async () => {
      const event = ordered({ fails: true });

      expect((await send(event)).status).toBe(200);
      await app.settled();

      const [run] = await jobRunsOf(app.runtime().db)
        .find({ job: 'webhook-boards-by-provider', state: 'FAILED' })
        .comment('plan: of a test')
        .toArray();
      expect(run).toMatchObject({ error: { code: 'NO_SUCH_BOARD' } });
      expect(JSON.stringify(run)).not.toContain(event.title);
      expect(await boards(event.title)).toBe(0);
    });

    test.each([
      [
        'a changed byte',
        { text: '{"id":"evt_forged","title":"forged"} ', headers: { 'x-signature': signatureOf('{"id":"evt_forged","title":"forged"}') } },
        401,
      ],
      ['no signature', { headers: { 'x-signature': '' } }, 401],
      ['an event of no interest', { text: '{"id":"evt_none","title":"of no interest"}' }, 200],
      ['a verification that cannot be made now', { headers: { 'x-away': 'yes' } }, 503],
      ['a body that is too large', { text: JSON.stringify({ id: 'evt_large', title: 'x'.repeat(1_000) }) }, 413],
    ])('answers %s without an effect and without a reason', async (_case, given, status) => {
      const before = await webhookEventsOf(app.runtime().db).countDocuments();

      const response = await send(ordered(), given);
      const text = await response.text();

      expect(response.status).toBe(status);
      expect(text).not.toMatch(/signature|shared with|stack|undefined/);
      if (status >= 400)
        expect(JSON.parse(text)).toMatchObject({
          errors: [{ extensions: { code: expect.any(String), correlationId: response.headers.get('x-correlation-id') } }],
        });
      expect(await webhookEventsOf(app.runtime().db).countDocuments()).toBe(before);
    });

    test('reads no more of a body of unknown length than the route takes', async () => {
      let sent = 0;
      const body = new ReadableStream({
        pull(controller) {
          sent += 1;
          return sent > 2_000 ? controller.close() : controller.enqueue(new Uint8Array(10_000));
        },
      });

      const status = await fetch(`${origin}/hooks/boards/acme`, { method: 'POST', body, duplex: 'half' } as RequestInit).then(
        (response) => response.status,
        () => 'cut off',
      );

      expect([413, 'cut off']).toContain(status);
      expect(sent).toBeLessThan(2_000);
    });

    test('knows no other path and no other method', async () => {
      expect((await fetch(`${origin}/hooks/boards/acme/more`, { method: 'POST' })).status).toBe(404);
      expect((await fetch(`${origin}/hooks/boards/acme`)).status).toBe(404);
    });
  });

  describe('event stream', () => {
    const publish = (title: string, topic = 'boards:all') =>
      app.host.live.publish(topic, { payload: { id: `evt_${title}`, type: 'Board.Created', version: 1, data: { title } } });

    test('needs a viewer, as GraphQL does, and ends with an ended session', async () => {
      const url = `${origin}/api/v1/boards`;

      expect((await fetch(url)).status).toBe(401);
      expect((await fetch(url, { headers: { authorization: 'Bearer x' } })).status).toBe(401);
      expect((await fetch(url, { headers: await bearer('usr_1', [], 'ses_ended') })).status).toBe(401);
      expect(await (await fetch(url)).json()).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    });

    test('gives events of all topics with heartbeats between, and continues after the last id without a gap', async () => {
      const headers = await bearer('usr_1');
      const first = await follow(`${origin}/api/v1/boards`, headers);
      expect(first.contentType).toBe('text/event-stream; charset=utf-8');
      await first.until(({ id }) => id !== undefined);

      await publish('one');
      await publish('two', 'boards:others');
      await first.until(({ data }) => data?.includes('two') ?? false);
      await first.until(({ text }) => text.startsWith(':'));
      const events = first.events.filter(({ data }) => data);
      first.close();
      await publish('three');
      await publish('four', 'boards:others');
      const second = await follow(`${origin}/api/v1/boards`, { ...headers, 'last-event-id': events[0]!.id! });
      await second.until(() => second.events.filter(({ data }) => data).length === 3);

      expect(events.map(({ event, data }) => [event, data])).toEqual([
        ['Board.Created', '{"title":"one"}'],
        ['Board.Created', '{"title":"two"}'],
      ]);
      expect(second.events.flatMap(({ data }) => data ?? []).sort()).toEqual(['{"title":"four"}', '{"title":"three"}', '{"title":"two"}']);
      second.close();
    });

    test('asks for the right again at each event', async () => {
      const stream = await follow(`${origin}/api/v1/boards`, await bearer('usr_removed'));
      await stream.until(({ id }) => id !== undefined);
      const key = `${app.context().redisPrefix}:${REMOVED}`;
      await app.host.redis.sadd(key, 'usr_removed');
      await publish('secret');

      await stream.ended;

      expect(stream.text()).not.toContain('secret');
      expect(stream.events.at(-1)).toMatchObject({ event: 'problem', data: expect.stringContaining('"code":"FORBIDDEN"') });
      expect((await fetch(`${origin}/api/v1/boards`, { headers: await bearer('usr_removed') })).status).toBe(403);
      await app.host.redis.del(key);
    });

    test.each([
      ['1-1', 400, 'INVALID_CURSOR'],
      ['x,y', 400, 'INVALID_CURSOR'],
      ['1-1,1-1', 410, 'CURSOR_EXPIRED'],
    ])('refuses the id %s', async (id, status, code) => {
      await publish('kept');
      await publish('kept', 'boards:others');
      const response = await fetch(`${origin}/api/v1/boards`, { headers: { ...(await bearer('usr_1')), 'last-event-id': id } });

      expect(response.status).toBe(status);
      expect(await response.json()).toMatchObject({ errors: [{ extensions: { code } }] });
    });

    test('gives back the place of a client that leaves', async () => {
      const url = `${origin}/api/v1/boards`;
      const openTo = async (count: number) =>
        Promise.all(Array.from({ length: count }, async () => follow(url, await bearer('usr_leaves'))));
      const first = await openTo(PLACES);
      expect((await fetch(url, { headers: await bearer('usr_leaves') })).status).toBe(429);

      for (const stream of first) stream.close();

      await until(async () => {
        const again = await follow(url, await bearer('usr_leaves'));
        again.close();
        return again.status === 200;
      });
    });
  });

  describe('download', () => {
    test('gives a file with its type, and a name that every client can save', async () => {
      const response = await fetch(`${origin}/files/boards/b%20%C3%A4`, { headers: await bearer('usr_1', ['admin']) });

      expect(await response.text()).toBe('id,viewer,roles\nb ä,usr_1,admin\n');
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      expect(response.headers.get('content-disposition')).toBe(
        'attachment; filename="-Tafel -b ?- ? b ?.csv"; filename*=UTF-8\'\'-Tafel%20-b%20%C3%A4-%20%E2%86%92%20b%20%C3%A4.csv',
      );
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(response.headers.get('cache-control')).toBe('private, no-store');
    });

    test('is given to whoever has a signed address, as its viewer, and to nobody else', async () => {
      const ctx = app.context('boards', { viewer: { id: 'usr_2', roles: ['librarian'], scopes: [] } } satisfies Partial<Identity>);
      const path = ctx.signedPath('/files/boards/b1?format=csv', { expiresInSeconds: 600 });
      const longer = ctx.signedPath('/files/boards/b1', { expiresInSeconds: 3_600 });
      const statusOf = async (url: string) => (await fetch(`${origin}${url}`)).status;

      expect(await (await fetch(`${origin}${path}`)).text()).toBe('id,viewer,roles\nb1,usr_2,librarian\n');
      expect(await (await fetch(`${origin}${longer}`)).text()).toBe('id,viewer,roles\nb1,usr_2,\n');
      expect(await statusOf('/files/boards/b1')).toBe(401);
      expect(await statusOf(path.replace('b1', 'b2'))).toBe(404);
      expect(await statusOf(path.replace('format=csv', 'format=all'))).toBe(404);
      expect(await statusOf(path.replace(/expires=\d/, 'expires=9'))).toBe(404);
      expect(
        await statusOf(
          path.replace(/viewer=[\w-]+/, `viewer=${Buffer.from('{"id":"usr_9","roles":["admin"],"scopes":[]}').toString('base64url')}`),
        ),
      ).toBe(404);
      expect(await statusOf(`${path}&format=all`)).toBe(404);
      expect(await statusOf('/files/boards/b1?signature=x')).toBe(404);
      app.clock.advance(601_000);
      expect(await statusOf(path)).toBe(404);
      app.clock.set(new Date());
    });

    test('asks for the right at each use of a signed address', async () => {
      const path = app
        .context('boards', { viewer: { id: 'usr_3', roles: [], scopes: [] } })
        .signedPath('/files/boards/b1', { expiresInSeconds: 600 });
      expect((await fetch(`${origin}${path}`)).status).toBe(200);

      await app.host.redis.sadd(`${app.context().redisPrefix}:${REMOVED}`, 'usr_3');

      expect((await fetch(`${origin}${path}`)).status).toBe(403);
    });

    test('waits for a slow client, and stops when it leaves', async () => {
      read.chunks = 0;
      const response = await get(`${origin}/files/boards/large`, await bearer('usr_1'));
      expect(response.headers['content-length']).toBe(String(LARGE.chunks * LARGE.bytes));
      await once(response, 'readable');
      await delay(300);
      const waiting = read.chunks;
      response.destroy();
      await delay(200);

      expect(waiting).toBeLessThan(LARGE.chunks);
      expect(read.chunks).toBeLessThan(LARGE.chunks);

      read.chunks = 0;
      const whole = await (await fetch(`${origin}/files/boards/large`, { headers: await bearer('usr_1') })).arrayBuffer();
      expect([whole.byteLength, read.chunks]).toEqual([LARGE.chunks * LARGE.bytes, LARGE.chunks]);
    });
  });

  describe('files', () => {
    const png = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(300_000, 7)]);

    test('are taken by the address of a ticket, once, and given to anybody', async () => {
      const { uploads } = app.context().providers as { uploads: import('#shared/uploads/uploads.ts').Uploads };
      const ticket = await uploads.prepare({ folder: 'boards/b1', visibility: 'PUBLIC', contentType: 'image/png', size: png.length });
      const put = (url: string) =>
        fetch(url, { method: 'PUT', headers: { 'content-type': 'image/png' }, body: new Uint8Array(png) }).then(
          ({ status }) => status,
          () => 'cut off',
        );
      const url = ticket.url.replace(/^http:\/\/[^/]+/, origin);

      expect([403, 'cut off']).toContain(await put(url.replace(/signature=./, 'signature=')));
      expect(await put(url)).toBe(201);
      expect([409, 'cut off']).toContain(await put(url));
      const given = await fetch(url.split('?')[0]!);

      expect(Buffer.from(await given.arrayBuffer()).equals(png)).toBe(true);
      expect(given.headers.get('content-type')).toBe('image/png');
      expect(given.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect((await fetch(url.split('?')[0]!, { method: 'HEAD' })).status).toBe(200);
      expect((await fetch(`${origin}/uploads/public/boards/none.png`)).status).toBe(404);
    });
  });
});

describe('the gateway', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await open(subgraphWithRoutes);
  });
  afterAll(() => app.close());

  test('lists routes for integrators, in production only to keys that read the schema', async () => {
    const keys = [{ name: 'partner', sha256: createHash('sha256').update(KEY).digest('hex'), introspection: true }];
    await using demo = await closing(openGatewayForTest({ subgraphs: [app.runtime()], routes: ENTRIES }));
    await using strict = await closing(openGatewayForTest({ subgraphs: [app.runtime()], routes: ENTRIES, production: true, keys }));
    const listOf = async (gateway: TestGateway, headers: Record<string, string> = {}) =>
      ((await (await fetch(new URL('/api/v1', gateway.url), { headers })).json()) as { routes: object[] }).routes;

    expect(await listOf(demo.gateway)).toEqual([
      { kind: 'eventStream', method: 'GET', path: '/api/v1/boards', description: 'Boards as they come into being.' },
      { kind: 'download', method: 'GET', path: '/files/boards/:id', description: 'A board as CSV.' },
    ]);
    expect(await listOf(strict.gateway)).toEqual([]);
    expect(await listOf(strict.gateway, { 'x-soko-key': KEY })).toHaveLength(2);
  });

  test('refuses early what is too much, without a place of an operation, and names what is away', async () => {
    const waits = Promise.withResolvers<void>();
    const slow = { ...app.runtime(), request: async () => waits.promise.then(() => ({ status: 200, headers: {} })) };
    const subgraphs = [app.runtime()];
    const admission = { atOnce: 1, waiting: 0, maxWaitMs: 100 };
    await using busy = await closing(openGatewayForTest({ subgraphs, transports: { boards: slow }, routes: ENTRIES, admission }));
    await using without = await closing(openGatewayForTest({ subgraphs, transports: {}, routes: ENTRIES }));
    const hook = (gateway: TestGateway) => fetch(new URL('/hooks/boards/acme', gateway.url), { method: 'POST', body: '{}' });

    const first = hook(busy.gateway);
    await delay(100);
    const second = await hook(busy.gateway);
    const asked = await busy.gateway.ask('{ __typename }');
    waits.resolve();

    expect(second.status).toBe(503);
    expect(second.headers.get('retry-after')).toMatch(/^\d+$/);
    expect(await second.json()).toMatchObject({ errors: [{ extensions: { code: 'OVERLOADED' } }] });
    expect(asked.data).toEqual({ __typename: 'Query' });
    expect((await first).status).toBe(200);
    expect(await (await hook(without.gateway)).json()).toMatchObject({
      errors: [{ extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'boards' } }],
    });
  });

  test('ends a request whose body does not come', async () => {
    await using one = await closing(openGatewayForTest({ subgraphs: [app.runtime()], routes: ENTRIES, timeoutMs: 1_000 }));
    const socket = connect(one.gateway.port, '127.0.0.1');
    const closed = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (part) => (text += String(part)));
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(text));
    });
    socket.write('POST /hooks/boards/acme HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{');

    expect(await closed).not.toContain('200 OK');
  }, 60_000);

  test('allows pages of listed origins to call routes', async () => {
    const corsOrigins = ['https://shop.example.org'];
    await using one = await closing(openGatewayForTest({ subgraphs: [app.runtime()], routes: ENTRIES, corsOrigins }));
    const preflight = (origin: string) =>
      fetch(new URL('/api/v1/boards', one.gateway.url), { method: 'OPTIONS', headers: { origin, 'access-control-request-method': 'GET' } });

    expect((await preflight('https://shop.example.org')).status).toBe(204);
    expect((await preflight('https://evil.example.org')).status).toBe(403);
  });
});

/** A gateway that is closed with its block. */
async function closing(opening: Promise<TestGateway>) {
  const gateway = await opening;
  return { gateway, [Symbol.asyncDispose]: () => gateway.close() };
}

interface ServerSent {
  text: string;
  id?: string;
  event?: string;
  data?: string;
}

/** A GET over a connection of its own: `fetch` opens another one in place of each that is broken off. */
async function get(url: string, headers: Record<string, string>): Promise<IncomingMessage> {
  const [response] = (await once(request(url, { headers, agent: false }).end(), 'response')) as [IncomingMessage];
  response.on('error', () => undefined);
  return response;
}

/** Reads server-sent events until it is closed. */
async function follow(url: string, headers: Record<string, string>) {
  const response = await get(url, { accept: 'text/event-stream', ...headers });
  const events: ServerSent[] = [];
  let text = '';
  response.setEncoding('utf8');
  response.on('data', (part: string) => {
    text += part;
    const blocks = text.split('\n\n');
    for (const block of blocks.slice(events.length, -1)) events.push(readEvent(block));
  });
  return {
    status: response.statusCode,
    contentType: response.headers['content-type'],
    events,
    ended: new Promise<void>((resolve) => response.once('close', () => resolve())),
    text: () => text,
    until: (isIt: (event: ServerSent) => boolean) => until(() => events.some(isIt)),
    close: () => void response.destroy(),
  };
}

function readEvent(text: string): ServerSent {
  const fields = [...text.matchAll(/^(id|event|data): ?(.*)$/gm)].map(([, name = '', value]) => [name, value]);
  return { text, ...(Object.fromEntries(fields) as object) };
}
