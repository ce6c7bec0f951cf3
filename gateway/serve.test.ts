import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../schema/compose.ts';
import type { PlainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { testSubgraphs } from './testing/test-subgraphs.ts';

/* `npm run gateway` as people use it who bring their own subgraphs: servers that know nothing of Soko. */

const folder = mkdtempSync(join(tmpdir(), 'soko-serve-'));
const file = join(folder, 'supergraph.graphql');
const START_MS = 60_000;
const opened: (() => unknown)[] = [];

const command = (...args: string[]) => [join(import.meta.dirname, 'serve.ts'), ...args];
const {
  API_KEYS_FILE: _keys,
  ACCESS_TOKEN_PUBLIC_KEY: _tokens,
  MONGODB_URI: _mongodb,
  REDIS_URL: _redis,
  NODE_OPTIONS: _options,
  ...env
} = process.env;

/** What a server of others says of an error without a code. */
const UNCODED = 'Send a valid x-user-id.';

/** An external subgraph: GraphQL over HTTP at its own address. */
async function serveElsewhere(subgraph: PlainSubgraph, seen: IncomingHttpHeaders[]): Promise<string> {
  const server = createServer(async (request, response) => {
    seen.push(request.headers);
    const answer = await subgraph.execute((await json(request)) as SubgraphRequest);
    const text = JSON.stringify(answer).replaceAll('Something went wrong on our side.', UNCODED);
    response.setHeader('content-type', 'application/json').end(text);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  opened.push(() => (server.closeAllConnections(), server.close()));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${subgraph.name}/api`;
}

/** Lines that the gateway logs. */
async function logged(child: ChildProcess, text: string): Promise<string> {
  let output = '';
  for await (const chunk of child.stderr!.iterator({ destroyOnReturn: false })) {
    output += String(chunk);
    if (output.includes(text)) return output;
  }
  throw new Error(`the gateway ended:\n${output}`);
}

describe('a gateway for any supergraph', () => {
  const seen: IncomingHttpHeaders[] = [];
  let child: ChildProcess;
  let url: string;
  let services: { name: string; typeDefs: string; url: string }[];

  beforeAll(async () => {
    services = [];
    for (const subgraph of testSubgraphs().all) {
      services.push({ name: subgraph.name, typeDefs: subgraph.typeDefs, url: await serveElsewhere(subgraph, seen) });
    }
    writeFileSync(file, composeSupergraph(services));
    child = start({}, '--open');
    url = await addressOf(child);
  }, START_MS);

  function start(more: Record<string, string>, ...args: string[]): ChildProcess {
    const started = spawn(process.execPath, command('--supergraph', file, '--port', '0', ...args), {
      env: { ...env, LOG_LEVEL: 'info', ...more },
      stdio: ['ignore', 'inherit', 'pipe'],
    });
    opened.push(async () => started.kill() && (await once(started, 'exit')));
    return started;
  }

  const addressOf = async (started: ChildProcess) => /"url":"([^"]+)"/.exec(await logged(started, 'listening'))![1]!;

  afterAll(async () => {
    for (const close of opened.splice(0).toReversed()) await close();
    rmSync(folder, { recursive: true });
  });

  const ask = async (query: string, headers: Record<string, string> = {}, at = url) => {
    const response = await fetch(at, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });
    return (await response.json()) as { data: unknown; errors?: unknown[] };
  };

  test('is healthy, and shows its schema to everyone', async () => {
    expect((await fetch(url.replace('/graphql', '/health'))).status).toBe(200);
    expect(await ask('{ __typename }')).toEqual({ data: { __typename: 'Query' } });
    expect(await ask('{ __schema { queryType { name } } }')).toEqual({ data: { __schema: { queryType: { name: 'Query' } } } });
  });

  test('that is open allows web pages of this machine', async () => {
    const headers = { origin: 'http://localhost:5173', 'access-control-request-method': 'POST' };

    const preflight = await fetch(url, { method: 'OPTIONS', headers });

    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, 'http://localhost:5173']);
  });

  test('joins subgraphs at their own addresses, with the propagated headers', async () => {
    seen.length = 0;

    const answer = await ask('{ note(id: "n1") { author { name } board { title } } }', { authorization: 'Basic c2VjcmV0', 'x-other': '1' });

    expect(answer).toEqual({ data: { note: { author: { name: 'Ada' }, board: { title: 'Ideas' } } } });
    expect(seen).toHaveLength(3);
    for (const headers of seen) {
      expect(headers).toMatchObject({ authorization: 'Basic c2VjcmV0' });
      expect(headers).not.toHaveProperty('x-other');
      expect(headers).not.toHaveProperty('x-internal-key');
    }
  });

  test('that is not open requires a key, and hides its schema', async () => {
    const keys = join(folder, 'keys.json');
    writeFileSync(keys, JSON.stringify([{ name: 'shop', sha256: createHash('sha256').update('of-shop').digest('hex') }]));
    const closed = await addressOf(start({ API_KEYS_FILE: keys }));

    expect(await ask('{ viewer }', {}, closed)).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    expect(await ask('{ __typename }', { 'x-soko-key': 'of-shop' }, closed)).toEqual({ data: { __typename: 'Query' } });
    expect(await ask('{ __schema { queryType { name } } }', { 'x-soko-key': 'of-shop' }, closed)).toMatchObject({
      errors: [{ extensions: { code: 'INTROSPECTION_DISABLED' } }],
    });
  });

  test("shows error messages of subgraphs when it is open, and only the subgraph's name otherwise", async () => {
    const query = '{ person(id: "p2") { email } }';
    const keys = join(folder, 'keys-of-errors.json');
    writeFileSync(keys, JSON.stringify([{ name: 'shop', sha256: createHash('sha256').update('of-shop').digest('hex') }]));
    const quiet = await addressOf(start({ API_KEYS_FILE: keys }));
    const told = await addressOf(start({ API_KEYS_FILE: keys, EXPOSE_ERRORS: 'true' }));
    const error = { path: ['person', 'email'], extensions: { code: 'SUBGRAPH_ERROR', subgraph: 'people', retryable: false } };

    expect(await ask(query)).toMatchObject({ errors: [{ ...error, message: UNCODED }] });
    expect(await ask(query, { 'x-soko-key': 'of-shop' }, told)).toMatchObject({ errors: [{ ...error, message: UNCODED }] });
    expect(await ask(query, { 'x-soko-key': 'of-shop' }, quiet)).toMatchObject({
      errors: [{ ...error, message: 'The subgraph people reported an error.' }],
    });
  });

  test('limits the time and bytes of subgraph responses by its settings', async () => {
    const impatient = await addressOf(start({ REQUEST_TIMEOUT_MS: '1' }, '--open'));
    const sparing = await addressOf(start({ SUBGRAPH_ANSWER_BYTES: '10' }, '--open'));

    expect(await ask('{ person(id: "p1") { name } }', {}, impatient)).toMatchObject({ errors: [{ extensions: { code: 'TIMEOUT' } }] });
    expect(await ask('{ person(id: "p1") { name } }', {}, sparing)).toMatchObject({
      data: { person: null },
      errors: [{ extensions: { code: 'SUBGRAPH_ANSWER_INVALID' } }],
    });
  });

  test('caches entities only with a Redis', async () => {
    const caching = await addressOf(start({}, '--open', '--cache', process.env['REDIS_URL']!));
    const health = async (at: string): Promise<unknown> => (await fetch(at.replace('/graphql', '/health'))).json();

    expect(await ask('{ note(id: "n1") { author { name } } }', {}, caching)).toEqual({ data: { note: { author: { name: 'Ada' } } } });
    expect(await health(caching)).toMatchObject({ status: 'ok', entityCache: { hits: 0, misses: 0, stale: 0, stored: 0 } });
    expect(await health(url)).not.toHaveProperty('entityCache');
  });

  test("accepts operations far deeper than Soko's own pages", async () => {
    const depth = 40;
    const query = `{ note(id: "n1") { ${'author { boards { notes { '.repeat(depth / 4)} id ${'} } }'.repeat(depth / 4)} } }`;

    expect((await ask(query)).errors).toBeUndefined();
  });

  test('reloads its file on change; a broken file changes nothing', async () => {
    const change = (text: string): void => {
      writeFileSync(`${file}.new`, text);
      renameSync(`${file}.new`, file);
    };
    const broken = logged(child, 'what is served stays');
    change('type Query { a: Int }');
    await broken;
    expect(await ask('{ note(id: "n1") { author { email } } }')).toMatchObject({ data: { note: { author: { email: 'p1@example.org' } } } });

    const reloaded = logged(child, 'another supergraph is served');
    change(composeSupergraph(services.map((each) => ({ ...each, typeDefs: each.typeDefs.replace('email: String', '') }))));
    await reloaded;
    expect(await ask('{ note(id: "n1") { author { email } } }')).toMatchObject({
      errors: [{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    });
  });

  test('reloads its file on SIGHUP', async () => {
    const looked = logged(child, 'has not changed');
    child.kill('SIGHUP');
    await looked;

    expect(await ask('{ __typename }')).toEqual({ data: { __typename: 'Query' } });
  });
});

const served = join(import.meta.dirname, '../schema/supergraph.graphql');
const { publicKey: rsa } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const rsaKey = rsa.export({ type: 'spki', format: 'pem' }) as string;

test.each<[string, string[], string, Record<string, string>?]>([
  ['no file', [], 'Name the file'],
  [
    'a file that is not there',
    ['--supergraph', join(folder, 'nothing'), '--open'],
    `There is no file ${join(folder, 'nothing')}. --supergraph names`,
  ],
  ['a file that holds something else', ['--supergraph', join(import.meta.dirname, 'serve.ts'), '--open'], 'is no composed supergraph'],
  ['nobody who may ask', ['--supergraph', file], 'ACCESS_TOKEN_PUBLIC_KEY, a PEM, or API_KEYS_FILE'],
  ['an option it does not have', ['--opne'], '--opne'],
  ['every header', ['--supergraph', file, '--open', '--forward-headers', '*'], 'not "*"'],
  ['a header of a single connection', ['--supergraph', file, '--open', '--forward-headers', 'authorization,Host'], 'not "Host"'],
  [
    'a key of another kind',
    ['--supergraph', served],
    'ACCESS_TOKEN_PUBLIC_KEY: must be an Ed25519 key, and is one of the type rsa',
    { ACCESS_TOKEN_PUBLIC_KEY: rsaKey },
  ],
  ['a key that is none', ['--supergraph', served], 'ACCESS_TOKEN_PUBLIC_KEY: must be a public key', { ACCESS_TOKEN_PUBLIC_KEY: 'key' }],
])('exits with one line on %s', (_case, args, words, more = {}) => {
  const { status, stderr } = spawnSync(process.execPath, command(...args), { env: { ...env, ...more }, encoding: 'utf8' });

  expect(status).toBe(1);
  expect(stderr.trim().split('\n')).toEqual([expect.stringContaining(words)]);
});
