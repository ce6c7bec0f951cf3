import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { request, type IncomingHttpHeaders } from 'node:http';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { Guide } from '../playground/guide.ts';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all });
});
afterAll(() => gateway.close());

/** Not by fetch, which unpacks by itself. */
function get(headers: Record<string, string>, url = gateway.url) {
  return new Promise<{ status: number | undefined; headers: IncomingHttpHeaders; body: Buffer }>((resolve, reject) => {
    const call = request(url, { headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }));
    });
    call.on('error', reject).end();
  });
}

const BROWSER = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8';

describe('the page for browsers', () => {
  test.each([
    ['br', (body: Buffer) => brotliDecompressSync(body)],
    ['gzip', (body: Buffer) => gunzipSync(body)],
    [undefined, (body: Buffer) => body],
  ])('is compressed as %s', async (encoding, unpack) => {
    const { status, headers, body } = await get({
      accept: BROWSER,
      'accept-encoding': encoding === 'br' ? 'gzip, deflate, br' : (encoding ?? 'identity'),
    });

    expect(status).toBe(200);
    expect(headers['content-type']).toBe('text/html; charset=utf-8');
    expect(headers['content-encoding']).toBe(encoding);
    const page = unpack(body).toString();
    expect(page).toMatch(/^\s*<!doctype html>/i);
    expect(page).toContain('GraphiQL');
  });

  test('loads nothing from other origins, and may not', async () => {
    const { headers, body } = await get({ accept: BROWSER });

    const page = body.toString();
    const tags = page.match(/<(script|link|img|iframe|source|style)\b[^>]*>/gi) ?? [];
    expect(tags.filter((tag) => /(src|href)\s*=\s*["']?(https?:)?\/\//i.test(tag))).toEqual([]);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/https?:|\*/);
    expect(policy).toContain("connect-src 'self' ws: wss:");
  });

  test('knows the endpoint, and subscribes over WebSocket', async () => {
    const page = (await get({ accept: BROWSER })).body.toString();

    expect(page).toMatch(/"endpoint":\s*"\/graphql"/);
    expect(page).toMatch(/"subscriptionsProtocol":\s*"SSE"/);
  });

  test('is not sent again when the browser has it cached', async () => {
    const { headers } = await get({ accept: BROWSER });

    const again = await get({ accept: BROWSER, 'if-none-match': String(headers.etag) });

    expect(again.status).toBe(304);
    expect(again.body).toHaveLength(0);
  });
});

test('serves GraphQL to programs at the same address', async () => {
  const query = `${gateway.url}?query=${encodeURIComponent('{ viewer }')}`;

  const { status, headers, body } = await get({ accept: 'application/json', 'apollo-require-preflight': 'yes' }, query);

  expect(status).toBe(200);
  expect(headers['content-type']).toContain('application/json');
  expect(JSON.parse(body.toString())).toEqual({ data: { viewer: 'null' } });
});

describe('a guide', () => {
  const operation = { query: 'mutation ($token: String!) { confirm(token: $token) }', field: 'confirm' };
  const guide = Guide.parse({
    examples: [{ title: 'Who is asking', query: 'query Viewer { viewer }' }],
    signIn: { open: operation, renew: operation },
    links: [{ ...operation, path: '/confirm', title: 'Confirm </script> it' }],
  });

  test('gives GraphiQL a first operation, examples and a form to sign in', async () => {
    const guided = await openGatewayForTest({ subgraphs: testSubgraphs().all, guide });
    const page = (await get({ accept: BROWSER }, guided.url)).body.toString();
    await guided.close();

    expect(page).toMatch(/"defaultQuery":"# Write an operation[^"]*query Viewer/);
    expect(page).toContain('Who is asking');
    expect(page.indexOf('const guide = {')).toBeLessThan(page.indexOf('YogaGraphiQL.renderYogaGraphiQL('));
  });

  test('gives each e-mail link a page, which no text of the guide can break', async () => {
    const guided = await openGatewayForTest({ subgraphs: testSubgraphs().all, guide });
    const { status, headers, body } = await get({ accept: BROWSER }, guided.url.replace('/graphql', '/confirm?token=abc'));
    await guided.close();

    expect([status, headers['cache-control'], headers['referrer-policy']]).toEqual([200, 'no-store', 'no-referrer']);
    expect(headers['content-security-policy']).toContain("default-src 'self'");
    expect(body.toString()).toContain('confirm(token: $token)');
    expect(body.toString().match(/<\/script>/g)).toHaveLength(1);
  });

  test('gives no page where the playground is off', async () => {
    const closed = await openGatewayForTest({ subgraphs: testSubgraphs().all, guide, production: true });
    const { status } = await get({ accept: BROWSER }, closed.url.replace('/graphql', '/confirm?token=abc'));
    await closed.close();

    expect(status).toBe(404);
  });
});

test('serves no page when it is switched off', async () => {
  const closed = await openGatewayForTest({ subgraphs: testSubgraphs().all, production: true });

  const { headers } = await get({ accept: BROWSER }, closed.url);

  expect(headers['content-type']).not.toContain('text/html');
  await closed.close();
});
