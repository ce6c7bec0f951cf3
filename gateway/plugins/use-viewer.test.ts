import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { request } from 'node:http';
import { SignJWT, UnsecuredJWT } from 'jose';
import { WebSocket } from 'ws';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, testKeys, type TestGateway } from '../testing/open-gateway.ts';

let gateway: TestGateway;
let ended: Set<string>;
beforeAll(async () => {
  ended = new Set();
  gateway = await openGatewayForTest({
    subgraphs: testSubgraphs().all,
    isRevoked: async (sessionId) => ended.has(sessionId),
    revocationCheckMs: 50,
  });
});
afterAll(() => gateway.close());

const now = () => Math.floor(Date.now() / 1000);
const CLAIMS = { sub: 'p1', roles: ['editor'], scopes: [], sid: 'ses_1' };

interface Parts {
  header?: Record<string, unknown>;
  claims?: Record<string, unknown>;
  key?: Parameters<SignJWT['sign']>[0];
}

/** A token that is right but for what the test says. */
function token({ header = {}, claims = {}, key = testKeys.privateKey }: Parts = {}): Promise<string> {
  const all = { ...CLAIMS, iss: 'soko', aud: 'soko', iat: now(), exp: now() + 900, ...claims };
  return new SignJWT(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)))
    .setProtectedHeader({ alg: 'EdDSA', ...header })
    .sign(key);
}

const base64 = (value: unknown) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const payloadOf = (claims: object = {}) => base64({ ...CLAIMS, iss: 'soko', aud: 'soko', iat: now(), exp: now() + 900, ...claims });

/** A token put together by hand, as an attacker would. */
function forged(header: object, payload: string, signature: (input: string) => string): string {
  const input = `${base64(header)}.${payload}`;
  return `${input}.${signature(input)}`;
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const other = generateKeyPairSync('ed25519');

const BAD_TOKENS: [string, () => Promise<string> | string][] = [
  ['that is not signed', () => new UnsecuredJWT(CLAIMS).setIssuer('soko').setAudience('soko').setExpirationTime('1h').encode()],
  ['whose signature was cut off', async () => (await token()).replace(/[^.]+$/, '')],
  [
    'signed by HMAC with the public key',
    () =>
      forged({ alg: 'HS256', typ: 'JWT' }, payloadOf(), (input) =>
        createHmac('sha256', testKeys.publicKeyPem).update(input).digest('base64url'),
      ),
  ],
  [
    'signed by an RSA key',
    () => forged({ alg: 'RS256' }, payloadOf(), (input) => sign('sha256', Buffer.from(input), rsa.privateKey).toString('base64url')),
  ],
  ['signed by another key of the right kind', () => token({ key: other.privateKey })],
  ['that brings its own key', () => token({ key: other.privateKey, header: { jwk: other.publicKey.export({ format: 'jwk' }) } })],
  ['whose kid is a path', () => token({ key: other.privateKey, header: { kid: '../../../../dev/null' } })],
  ['with edited claims', async () => (await token()).replace(/\.[^.]+\./, `.${payloadOf({ roles: ['admin'] })}.`)],
  ['for another audience', () => token({ claims: { aud: 'elsewhere' } })],
  ['from another issuer', () => token({ claims: { iss: 'elsewhere' } })],
  ['that has expired', () => token({ claims: { iat: now() - 1_000, exp: now() - 100 } })],
  ['that is not valid yet', () => token({ claims: { nbf: now() + 600 } })],
  ['issued in the future', () => token({ claims: { iat: now() + 600 } })],
  ['that never expires', () => token({ claims: { exp: undefined } })],
  ['without a subject', () => token({ claims: { sub: undefined } })],
  ['with a refresh token in its place', () => token({ header: { typ: 'rt+jwt' } })],
  ['that says nothing of roles', () => token({ claims: { roles: undefined } })],
  ['whose roles are text', () => token({ claims: { roles: 'admin' } })],
  ['that is longer than any token', () => token({ claims: { padding: 'x'.repeat(5_000) } })],
  [
    'with a critical extension nobody knows',
    () =>
      forged({ alg: 'EdDSA', crit: ['x'], x: 1 }, payloadOf(), (input) =>
        sign(null, Buffer.from(input), testKeys.privateKey).toString('base64url'),
      ),
  ],
  ['that is no token', () => 'opaque-refresh-token'],
  ['that is empty', () => ''],
];

/** How a socket ends, and what it was sent before. */
function socketWith(connectionParams: unknown, { inAHurry = false } = {}): Promise<{ code: number; reason: string; messages: unknown[] }> {
  const socket = new WebSocket(gateway.wsUrl, 'graphql-transport-ws');
  const messages: unknown[] = [];
  socket.on('open', () => {
    socket.send(JSON.stringify({ type: 'connection_init', payload: connectionParams }));
    if (inAHurry) socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: '{ viewer }' } }));
  });
  socket.on('message', (data) => messages.push(JSON.parse((data as Buffer).toString())));
  return new Promise((resolve) => socket.on('close', (code, reason) => resolve({ code, reason: String(reason), messages })));
}

describe('a token', () => {
  test.each(BAD_TOKENS)('%s is refused over HTTP', async (_case, make) => {
    const { status, data, errors, headers } = await gateway.ask('{ viewer }', {}, { token: await make() });

    expect(status).toBe(401);
    expect(data).toBeUndefined();
    expect(errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
    expect(headers.get('www-authenticate')).toBe('Bearer');
  });

  test.each(BAD_TOKENS)('%s is refused by connection_init', async (_case, make) => {
    expect(await socketWith({ authorization: `Bearer ${await make()}` })).toEqual({ code: 4403, reason: 'UNAUTHENTICATED', messages: [] });
  });

  test('that is invalid gets no response to an operation sent right behind it', async () => {
    const { code, messages } = await socketWith({ authorization: 'Bearer a.b.c' }, { inAHurry: true });

    expect([4401, 4403]).toContain(code);
    expect(messages).toEqual([]);
  });

  test('that is valid gives the viewer', async () => {
    for (const good of [
      await token(),
      await token({ header: { typ: 'at+jwt', kid: 'k1' } }),
      await token({ claims: { aud: ['else', 'soko'] } }),
    ]) {
      const { status, data } = await gateway.ask('{ viewer }', {}, { token: good });

      expect(status).toBe(200);
      expect(JSON.parse(data.viewer)).toEqual({ id: 'p1', roles: ['editor'], scopes: [], sessionId: 'ses_1' });
    }
  });

  test('is accepted in connection_init, whatever the case of its name', async () => {
    for (const name of ['authorization', 'Authorization']) {
      const client = gateway.socket({ connectionParams: { [name]: `Bearer ${await token()}` } });
      const { value } = await client.iterate<{ viewer: string }>({ query: '{ viewer }' }).next();
      expect(JSON.parse(value.data.viewer).id).toBe('p1');
    }
  });

  test('that is cached still ends when it expires', async () => {
    const good = await token({ claims: { exp: now() + 60 } });
    expect((await gateway.ask('{ viewer }', {}, { token: good })).status).toBe(200);

    const clock = jest.spyOn(Date, 'now').mockReturnValue(Date.now() + 120_000);
    const { status } = await gateway.ask('{ viewer }', {}, { token: good });
    clock.mockRestore();

    expect(status).toBe(401);
  });
});

test('without a token the viewer is anonymous', async () => {
  expect((await gateway.ask('{ viewer }')).data).toEqual({ viewer: 'null' });
  expect((await gateway.subscribe('{ viewer }').next()).value).toEqual({ data: { viewer: 'null' } });
});

test.each(['Basic cDE6cDE=', 'Bearer', 'bearer  two spaces', 'Token abc'])(
  'the header "%s" is refused, not taken for anonymous',
  async (authorization) => {
    expect((await gateway.ask('{ viewer }', {}, { headers: { authorization } })).status).toBe(401);
  },
);

test('two authorization headers are refused', async () => {
  const good = `Bearer ${await token()}`;
  const status = await new Promise((resolve, reject) => {
    const call = request(
      gateway.url,
      { method: 'POST', headers: ['host', 'gateway', 'content-type', 'application/json', 'authorization', good, 'Authorization', good] },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    call.on('error', reject).end(JSON.stringify({ query: '{ viewer }' }));
  });

  expect(status).toBe(401);
});

test('takes a viewer from no other header', async () => {
  const spoofed = Object.fromEntries(
    [
      'x-internal-key',
      'x-user-id',
      'x-user',
      'x-viewer',
      'x-role',
      'x-roles',
      'x-scopes',
      'x-forwarded-user',
      'x-authenticated-userid',
      'x-auth-request-user',
      'x-deadline',
      'cookie',
    ].map((name) => [name, 'admin']),
  );
  const asked = { headers: { ...spoofed, 'x-forwarded-for': '9.9.9.9', forwarded: 'for=9.9.9.9' } };

  const { data } = await gateway.ask('{ viewer client }', {}, asked);

  expect(data.viewer).toBe('null');
  expect(JSON.parse(data.client).ip).toBe('127.0.0.1');
});

describe('a socket', () => {
  const closing = (token: string) => {
    const opened = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<{ code: number; reason: string }>();
    const client = gateway.socket({
      token,
      lazy: false,
      onNonLazyError: () => undefined,
      on: { connected: () => opened.resolve(), closed: (event) => closed.resolve(event as { code: number; reason: string }) },
    });
    return { client, opened: opened.promise, closed: closed.promise };
  };

  test('is closed with 4403 when its token expires', async () => {
    const [expiring, lasting] = [
      closing(await token({ claims: { exp: now() + 2 } })),
      closing(await token({ claims: { exp: now() + 900 } })),
    ];
    await Promise.all([expiring.opened, lasting.opened]);

    const first = Promise.race([expiring.closed, lasting.closed.then(() => 'the one whose token lasts')]);
    expect(await first).toMatchObject({ code: 4403, reason: 'The access token has expired' });
  });

  test('is closed with 4403 soon after its session was ended', async () => {
    const { opened, closed } = closing(await token({ claims: { sid: 'ses_ending' } }));
    await opened;

    ended.add('ses_ending');

    expect(await closed).toMatchObject({ code: 4403, reason: 'The session has ended' });
  });

  test('is refused to a session that has ended', async () => {
    ended.add('ses_over');

    const { code, reason } = await socketWith({ authorization: `Bearer ${await token({ claims: { sid: 'ses_over' } })}` });

    expect({ code, reason }).toEqual({ code: 4403, reason: 'UNAUTHENTICATED' });
  });
});

test('refuses an ended session over HTTP', async () => {
  const good = await token({ claims: { sid: 'ses_http' } });
  expect((await gateway.ask('{ viewer }', {}, { token: good })).status).toBe(200);

  ended.add('ses_http');

  expect(await gateway.ask('{ viewer }', {}, { token: good })).toMatchObject({
    status: 401,
    errors: [{ extensions: { code: 'UNAUTHENTICATED' } }],
  });
});

test('treats every caller as anonymous without a public key, whatever it sends', async () => {
  const open = await openGatewayForTest({ subgraphs: testSubgraphs().all, accessTokenPublicKey: null });
  try {
    const { status, data } = await open.ask('{ viewer }', {}, { token: await token() });

    expect({ status, data }).toEqual({ status: 200, data: { viewer: 'null' } });
  } finally {
    await open.close();
  }
});
