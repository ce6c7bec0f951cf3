import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { createLog } from '../base/log.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { open } from '../testing/open.ts';
import { defineProvider, oneOf, openProvider, openProviders } from './define-provider.ts';
import { effectCall } from './effect.ts';
import { createProviderHttp, PROVIDER_CALLS, setTraceHeaders, type HttpPolicy, type ProviderCallFacts } from './http.ts';

const lines: string[] = [];
const log = createLog('test', { level: 'debug', stream: { write: (line: string) => void lines.push(line) } });
const tools = { log, now: () => new Date(), redis: undefined as never, redisPrefix: 'test', environment: {} };

/** A third party on loopback that answers what the test says, one after the other. */
let server: Server;
let url: string;
let answers: (number | 'break' | 'silence')[] = [];
const came: { method: string; headers: Record<string, unknown>; body: string }[] = [];
beforeAll(async () => {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += String(part)));
    request.on('end', () => {
      came.push({ method: request.method!, headers: request.headers, body });
      const answer = answers.shift() ?? 200;
      if (answer === 'break') return void request.socket.destroy();
      if (answer === 'silence') return;
      response.writeHead(answer, { 'content-type': 'application/json' }).end('{"done":true}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/things`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  answers = [];
  came.length = 0;
  lines.length = 0;
});

async function withHttp<T>(policy: HttpPolicy, work: (http: ReturnType<typeof createProviderHttp>) => Promise<T>): Promise<T> {
  const http = createProviderHttp('acme', policy, log);
  try {
    return await work(http);
  } finally {
    await http.close();
  }
}

describe('a call', () => {
  test.each([
    ['a GET', { name: 'read' }, ['break', 503, 200], 3, 200],
    ['a POST', { name: 'make', method: 'POST', body: { a: 1 } }, ['break'], 1, 'UNAVAILABLE'],
    ['a POST with an idempotency key', { name: 'make', method: 'POST', body: { a: 1 }, idempotencyKey: 'own_1' }, ['break', 200], 2, 200],
    ['a refusal', { name: 'read' }, [404], 1, 404],
    ['a third party that stays away', { name: 'read' }, ['break', 'break', 'break', 200], 3, 'UNAVAILABLE'],
  ] as const)('is repeated only where that is safe: %s', async (_case, call, given, times, outcome) => {
    answers = [...given];

    const answered = await withHttp({}, (http) => http.request({ ...call, url })).then(
      ({ status }) => status,
      (error: { code: string }) => error.code,
    );

    expect([came.length, answered]).toEqual([times, outcome]);
    if ('idempotencyKey' in call) expect(came.map(({ headers }) => headers['idempotency-key'])).toEqual(['own_1', 'own_1']);
  });

  test('ends in its time', async () => {
    answers = ['silence'];

    await expect(withHttp({ timeoutMs: 200 }, (http) => http.request({ name: 'make', method: 'POST', url }))).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'The acme cannot be reached at the moment.',
    });
  });

  test('is not made while the circuit breaker of its origin is open', async () => {
    answers = ['break', 'break', 200, 200];
    const policy = { breaker: { failures: 2, openMs: 300 } };

    await withHttp(policy, async (http) => {
      const make = () => http.request({ name: 'make', method: 'POST', url }).catch((error: { code: string }) => error.code);
      expect([await make(), await make(), await make()]).toEqual(['UNAVAILABLE', 'UNAVAILABLE', 'UNAVAILABLE']);
      expect(came).toHaveLength(2);
      await delay(400);
      expect(await make()).toMatchObject({ status: 200 });
    });
  });

  test('is logged without what is secret, and told to who measures', async () => {
    const facts: ProviderCallFacts[] = [];
    const hear = (message: unknown): void => void facts.push(message as ProviderCallFacts);
    subscribe(PROVIDER_CALLS, hear);
    setTraceHeaders(() => ({ traceparent: '00-1-2-01' }));
    const headers = { authorization: 'Bearer hidden-1', 'x-person': 'hidden-2', 'x-plain': 'shown' };
    answers = [200, 404];

    await withHttp({ redact: ['x-person', 'number'] }, async (http) => {
      await http.request({ name: 'read', url: `${url}?number=hidden-3&page=2`, headers });
      await http.request({ name: 'find', url });
    });
    unsubscribe(PROVIDER_CALLS, hear);
    setTraceHeaders(() => ({}));

    expect(lines.join('')).not.toMatch(/hidden-/);
    expect(lines[0]).toContain('"page":"2"');
    expect(facts.map(({ provider, call, outcome, status, attempts }) => [provider, call, outcome, status, attempts])).toEqual([
      ['acme', 'read', 'RESPONSE', 200, 1],
      ['acme', 'find', 'RESPONSE', 404, 1],
    ]);
    expect(came[0]!.headers['traceparent']).toBe('00-1-2-01');
  });

  test('whose response does not fit is one that cannot be understood', async () => {
    const response = await withHttp({}, (http) => http.request({ name: 'read', url }));

    expect(response.json(z.object({ done: z.boolean() }))).toEqual({ done: true });
    expect(() => response.json(z.object({ id: z.string() }))).toThrow('cannot be understood');
  });
});

describe('a call with an effect', () => {
  const effects = new Map<string, string>();
  const call = (fails: boolean) =>
    effectCall({
      effect: true,
      send: (ownId: string, input: string) =>
        withHttp({ retry: { attempts: 1 } }, async (http) => {
          effects.set(ownId, input);
          if (fails) answers = ['break'];
          await http.request({ name: 'make', method: 'POST', url });
          return input;
        }),
      find: async (ownId: string) => effects.get(ownId) ?? null,
    });

  test('is found again by our own id when its answer was lost, and is not sent again', async () => {
    expect(await call(true)('own_1', 'first')).toBe('first');
    expect(await call(false)('own_1', 'second')).toBe('first');
    expect(came).toHaveLength(1);
  });
});

describe('providers of a manifest', () => {
  const closed: string[] = [];
  const named = (name: string) =>
    defineProvider(name, {
      settings: z.object({ ACME_URL: z.url() }),
      sandbox: { ACME_URL: '/acme' },
      open: ({ settings }) => ({ name, url: settings.ACME_URL }),
      close: (made) => void closed.push(made.name),
    });

  test('are opened once, chosen by a rule, replaced by a test, and closed', async () => {
    const listed = {
      plain: 7,
      acme: named('acme'),
      carrier: oneOf({ road: named('road'), air: named('air') }, (kg: number) => (kg > 5 ? 'road' : 'air')),
    };
    const environment = { ACME_URL: 'https://acme.example' };
    closed.length = 0;

    const { providers, close } = openProviders(listed, { ...tools, environment }, { acme: 'replaced' });
    const carrier = providers['carrier'] as (kg: number) => { name: string };

    expect(providers).toMatchObject({ plain: 7, acme: 'replaced' });
    expect([carrier(1).name, carrier(9).name, carrier(9) === carrier(8)]).toEqual(['air', 'road', true]);
    await close();
    expect(closed.sort()).toEqual(['air', 'road']);
  });

  test('without a rule are chosen by name; an unknown one is refused', () => {
    const { providers } = openProviders(
      { carrier: oneOf({ road: named('road') }) },
      { ...tools, environment: { ACME_URL: 'https://acme.example' } },
    );
    const carrier = providers['carrier'] as (name: string) => { name: string };

    expect(carrier('road').name).toBe('road');
    expect(() => carrier('__proto__')).toThrow('There is no provider for __proto__. There are road.');
  });

  test.each([
    [{ SANDBOX_URL: 'http://127.0.0.1:4100/' }, 'http://127.0.0.1:4100/acme'],
    [{ SANDBOX_URL: 'http://127.0.0.1:4100', ACME_URL: 'https://acme.example' }, 'https://acme.example'],
  ])('take %j from the sandbox where nothing else is set', (environment, expected) => {
    expect(openProvider(named('acme'), { ...tools, environment }).made.url).toBe(expected);
  });

  test.each([
    [{}, 'Environment: ACME_URL: '],
    [{ NODE_ENV: 'production', SANDBOX_URL: 'http://127.0.0.1:4100' }, 'SANDBOX_URL: must not be set in production'],
  ])('are not opened with %j', (environment, message) => {
    expect(() => openProvider(named('acme'), { ...tools, environment })).toThrow(message);
  });

  test('are in the context of actions, and closed with their host', async () => {
    closed.length = 0;
    const withProvider: Subgraph = { ...subgraph, providers: () => ({ acme: named('acme') }) };
    const app = await open(withProvider, { environment: { ACME_URL: 'https://acme.example' } });
    expect((app.context().providers as { acme: { url: string } }).acme.url).toBe('https://acme.example');

    await app.close();

    expect(closed).toEqual(['acme']);
  });
});
