import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { useAllowedOrigins } from './use-allowed-origins.ts';

describe('a call from', () => {
  const isAllowedOrigin = useAllowedOrigins(['https://shop.example.org', 'http://localhost:5173/']);

  test.each([
    ['a program', undefined, true],
    ['the page the gateway serves', 'http://api.example.org', true],
    ['a page on the list', 'https://shop.example.org', true],
    ['a page on the list with a slash too much', 'http://localhost:5173', true],
    ['another page', 'https://evil.example.org', false],
    ['a page whose name begins alike', 'https://shop.example.org.evil.net', false],
    ['the listed host without encryption', 'http://shop.example.org', false],
    ['the listed host at another port', 'https://shop.example.org:8443', false],
    ['a file', 'null', false],
  ])('%s is allowed: %p → %p', (_case, origin, expected) => {
    expect(isAllowedOrigin({ host: 'api.example.org', ...(origin !== undefined && { origin }) })).toBe(expected);
  });
});

describe('where pages of this machine may call', () => {
  const isAllowedOrigin = useAllowedOrigins(['localhost', 'https://shop.example.org']);

  test.each([
    ['http://localhost:5173', true],
    ['https://localhost', true],
    ['http://127.0.0.1:3000', true],
    ['http://[::1]:8080', true],
    ['https://shop.example.org', true],
    ['http://localhost.evil.example', false],
    ['http://evil.example', false],
    ['file://localhost', false],
    ['null', false],
  ])('%s: %p', (origin, expected) => {
    expect(isAllowedOrigin({ origin, host: 'api.example.org' })).toBe(expected);
  });
});

test('logs each refused origin once with the variable that would allow it, at most a hundred', () => {
  const lines: [object, string][] = [];
  const isAllowedOrigin = useAllowedOrigins([], { warn: (facts: object, message: string) => void lines.push([facts, message]) } as never);

  for (const _again of [1, 2]) isAllowedOrigin({ origin: 'https://evil.example', host: 'api.example.org' });
  expect(lines).toEqual([[{ origin: 'https://evil.example' }, expect.stringContaining('CORS_ORIGINS')]]);
  for (let page = 0; page < 200; page += 1) isAllowedOrigin({ origin: `https://evil${page}.example`, host: 'api.example.org' });
  expect(lines).toHaveLength(100);
});

describe('the gateway', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all, corsOrigins: ['https://shop.example.org'] });
  });
  afterAll(() => gateway.close());

  const upgrade = (origin: string) =>
    new Promise((resolve) => {
      const socket = new WebSocket(gateway.wsUrl, 'graphql-transport-ws', { origin });
      socket.once('open', () => (socket.close(), resolve('open')));
      socket.once('unexpected-response', (_request, response) => resolve(response.statusCode));
      socket.once('error', () => undefined);
    });

  test('opens no socket for a page of another origin', async () => {
    expect(await upgrade('https://evil.example.org')).toBe(403);
    expect(await upgrade('https://shop.example.org')).toBe('open');
    expect(await upgrade(new URL(gateway.url).origin)).toBe('open');
  });

  test('lets the browser show its responses to listed pages only', async () => {
    const allowed = async (origin: string) =>
      (await gateway.ask('{ viewer }', {}, { headers: { origin } })).headers.get('access-control-allow-origin');

    expect(await allowed('https://shop.example.org')).toBe('https://shop.example.org');
    expect(await allowed('https://evil.example.org')).toBeNull();
  });

  test('answers a preflight request', async () => {
    const headers = {
      origin: 'https://shop.example.org',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type',
    };

    const response = await fetch(gateway.url, { method: 'OPTIONS', headers });

    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe('https://shop.example.org');
    expect(response.headers.get('access-control-allow-credentials')).toBe('true');
    expect(response.headers.get('access-control-allow-headers')).toContain('authorization');
  });

  test('refuses the preflight request of an unlisted page without CORS headers', async () => {
    const headers = { origin: 'https://evil.example.org', 'access-control-request-method': 'POST' };

    const response = await fetch(gateway.url, { method: 'OPTIONS', headers });

    expect(response.status).toBe(403);
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-allow'))).toEqual([]);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'FORBIDDEN' } }] });
  });

  test.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x'])(
    'refuses a form of a page of another origin: %s',
    async (contentType) => {
      const { status, data } = await gateway.post('{"query":"{ viewer }"}', { 'content-type': contentType });

      expect([400, 415]).toContain(status);
      expect(data).toBeUndefined();
    },
  );

  test('refuses a query by GET that a page of another origin could cause', async () => {
    const response = await fetch(`${gateway.url}?query={viewer}`, { headers: { accept: 'application/json' } });

    expect(response.status).toBe(400);
  });
});
