import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { decodeProtectedHeader, jwtVerify } from 'jose';
import { useViewer } from '../../../gateway/plugins/use-viewer.ts';
import { hashSecret } from '../secrets.ts';
import { openAccounts, type Accounts } from '../testing.ts';

const DAY_MS = 24 * 3_600_000;
const GRACE_MS = 10_000;
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const environment = { ACCESS_TOKEN_PRIVATE_KEY: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().replaceAll('\n', '\\n') };
const publicPem = publicKey.export({ type: 'spki', format: 'pem' }).toString();

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts({ environment });
});
afterAll(() => app.close());

const sessionOf = (id: string) => app.ctx().models.Session.findById(id).lean();
const isLive = async (refreshToken: string) => (await app.refresh(refreshToken)).accessToken !== null;
const refused = { code: 'INVALID_REFRESH_TOKEN', path: ['input', 'refreshToken'], message: expect.any(String) };

describe('an access token', () => {
  test('says who it is for a quarter of an hour, signed with the configured key', async () => {
    const { email, as } = await app.person({ roles: ['customer', 'agent'] });

    const { accessToken, sessionId } = await app.signIn(email);

    const { payload } = await jwtVerify(accessToken, createPublicKey(publicPem), { algorithms: ['EdDSA'] });
    expect(decodeProtectedHeader(accessToken)).toEqual({ alg: 'EdDSA', typ: 'JWT' });
    expect(payload).toEqual({
      iss: 'soko',
      aud: 'soko',
      sub: as.id,
      roles: ['customer', 'agent'],
      scopes: [],
      sid: sessionId,
      iat: expect.any(Number),
      exp: payload.iat! + 15 * 60,
    });
  });

  test('is what the gateway reads', async () => {
    const { email, as } = await app.person();
    const { accessToken, sessionId } = await app.signIn(email);

    const { viewer } = await useViewer({ publicKey: publicPem }).fromHeaders(['authorization', `Bearer ${accessToken}`]);

    expect(viewer).toEqual({ id: as.id, roles: ['customer'], scopes: [], sessionId });
  });

  test('is no refresh token, and no refresh token is one', async () => {
    const { email } = await app.person();
    const { accessToken, refreshToken } = await app.signIn(email);

    const { userErrors } = await app.run('refreshSession', { refreshToken: accessToken }, 'accessToken');
    expect(userErrors[0].path).toEqual(['input', 'refreshToken']);
    const { fromHeaders } = useViewer({ publicKey: publicPem });
    await expect(async () => fromHeaders(['authorization', `Bearer ${refreshToken}`])).rejects.toThrow('not valid');
  });
});

describe('refreshSession', () => {
  test('gives a new pair for the same session, and lets the old token be', async () => {
    const { email } = await app.person();
    const { refreshToken, sessionId } = await app.signIn(email);

    const next = await app.refresh(refreshToken);

    expect(next).toMatchObject({ session: { id: sessionId, isCurrent: true }, user: { email }, userErrors: [] });
    expect(next.refreshToken).not.toBe(refreshToken);
    expect(await isLive(next.refreshToken)).toBe(true);
  });

  test('keeps no token as it is', async () => {
    const { email } = await app.person();
    const { refreshToken } = await app.signIn(email);

    const rows = await app.ctx().models.RefreshToken.find({}).lean();

    expect(JSON.stringify(rows)).not.toContain(refreshToken);
    expect(rows.map(({ _id }) => _id)).toContain(hashSecret(refreshToken));
  });

  test('ends the whole session when a used token comes again, the newest pair included', async () => {
    const { email } = await app.person();
    const { refreshToken: first, sessionId } = await app.signIn(email);
    const { refreshToken: second } = await app.refresh(first);
    const { refreshToken: third } = await app.refresh(second);

    const { userErrors } = await app.refresh(first);

    expect(userErrors).toEqual([refused]);
    expect(await isLive(third)).toBe(false);
    expect(await sessionOf(sessionId)).toMatchObject({ revokedBecause: 'REUSED' });
    expect(await app.isAnnounced(sessionId)).toBe(true);
  });

  test('leaves other sessions of the user alone when one is ended so', async () => {
    const { email } = await app.person();
    const here = await app.signIn(email);
    const there = await app.signIn(email);
    await app.refresh(here.refreshToken);
    app.clock.advance(GRACE_MS);

    expect((await app.refresh(here.refreshToken)).userErrors).toEqual([refused]);

    expect(await isLive(there.refreshToken)).toBe(true);
  });

  test('keeps ten signed in that refresh at the same time, with one new token for all', async () => {
    const seed = Date.now() % 100_000;
    console.info(`races of refreshSession, seed ${seed}`);
    const random = generator(seed);
    for (let round = 0; round < 5; round += 1) {
      const { email } = await app.person();
      const { refreshToken, sessionId } = await app.signIn(email);

      const answers = await Promise.all(
        Array.from({ length: 10 }, async () => {
          await new Promise((resolve) => setTimeout(resolve, random() * 5));
          return app.refresh(refreshToken);
        }),
      );

      expect(answers.map(({ userErrors, session }) => [userErrors, session?.id])).toEqual(answers.map(() => [[], sessionId]));
      const [next, ...others] = new Set(answers.map((answer) => answer.refreshToken as string));
      expect(others).toEqual([]);
      expect(await isLive(next!)).toBe(true);
    }
  });

  test('takes a used token for stolen once the grace is over, and ends its successor', async () => {
    const { email } = await app.person();
    const { refreshToken, sessionId } = await app.signIn(email);
    const { refreshToken: next } = await app.refresh(refreshToken);
    app.clock.advance(GRACE_MS / 2);
    expect(await isLive(refreshToken)).toBe(true);
    app.clock.advance(GRACE_MS / 2);

    expect((await app.refresh(refreshToken)).userErrors).toEqual([refused]);

    expect(await isLive(next)).toBe(false);
    expect(await sessionOf(sessionId)).toMatchObject({ revokedBecause: 'REUSED' });
  });

  test('finds a thief out who came within the grace, at the next exchange', async () => {
    const { email } = await app.person();
    const { refreshToken } = await app.signIn(email);
    const { refreshToken: victims } = await app.refresh(refreshToken);
    const { refreshToken: thiefs } = await app.refresh(refreshToken);
    const { refreshToken: newest } = await app.refresh(victims);
    app.clock.advance(GRACE_MS);

    expect((await app.refresh(thiefs)).userErrors).toEqual([refused]);

    expect(await isLive(newest)).toBe(false);
  });

  test('knows a thief within the grace by the program that asks, not by a network address that changed', async () => {
    const { email } = await app.person();
    const phone = (ip: string) => ({ client: { ip, userAgent: 'Phone/1' } });
    const { refreshToken, sessionId } = await app.signIn(email, phone('10.1.1.1'));
    await app.refresh(refreshToken, phone('10.1.1.1'));

    expect((await app.refresh(refreshToken, phone('10.2.2.2'))).session).not.toBeNull();
    for (const client of [{ ip: '10.1.1.1', userAgent: 'Thief/1' }])
      expect((await app.refresh(refreshToken, { client })).userErrors).toEqual([refused]);
    expect(await sessionOf(sessionId)).toMatchObject({ revokedBecause: 'REUSED' });
  });

  test('gives nothing within the grace to a session that was ended meanwhile', async () => {
    const { email } = await app.person();
    const { as, refreshToken } = await app.signIn(email);
    await app.refresh(refreshToken);
    await app.run('logout', {}, 'loggedOut', { as });

    expect((await app.refresh(refreshToken)).userErrors).toEqual([refused]);
  });

  test('has no grace where none is configured', async () => {
    await using strict = await openAccounts({ environment: { ...environment, REFRESH_GRACE_SECONDS: '0' } });
    const { email } = await strict.person();
    const { refreshToken } = await strict.signIn(email);
    const { refreshToken: next } = await strict.refresh(refreshToken);

    expect((await strict.refresh(refreshToken)).userErrors).toEqual([refused]);

    expect((await strict.refresh(next)).userErrors).toEqual([refused]);
  });

  test('refuses a token after seven days without use, but not a session that is used', async () => {
    const { email } = await app.person();
    const idle = await app.signIn(email);
    const used = await app.signIn(email);
    app.clock.advance(6 * DAY_MS);
    const { refreshToken } = await app.refresh(used.refreshToken);
    app.clock.advance(2 * DAY_MS);

    expect(await isLive(idle.refreshToken)).toBe(false);
    expect(await isLive(refreshToken)).toBe(true);
  });

  test('refuses a session that is not to be remembered after a day', async () => {
    const { email } = await app.person();
    const { refreshToken, session } = await app.login(email, undefined, { rememberMe: false });
    expect(new Date(session.expiresAt).getTime() - app.clock.now().getTime()).toBeLessThanOrEqual(DAY_MS);
    app.clock.advance(DAY_MS + 1_000);

    expect(await isLive(refreshToken)).toBe(false);
  });

  test('takes roles as they are now', async () => {
    const { email, user } = await app.person();
    const { refreshToken } = await app.signIn(email);
    await app.ctx().models.User.updateOne({ _id: user._id }, { $addToSet: { roles: 'vendor' } });

    const { accessToken } = await app.refresh(refreshToken);

    const { payload } = await jwtVerify(accessToken, createPublicKey(publicPem), { currentDate: app.clock.now() });
    expect(payload['roles']).toEqual(['customer', 'vendor']);
  });

  test.each([
    ['nothing', '', 'INVALID_REFRESH_TOKEN'],
    ['an unknown token', 'A'.repeat(43), 'INVALID_REFRESH_TOKEN'],
    ['10,000 characters', 'A'.repeat(10_000), 'INVALID'],
    ['a lone surrogate', '\ud800'.repeat(43), 'INVALID_REFRESH_TOKEN'],
    ['a NUL', `${'A'.repeat(42)}\0`, 'INVALID_REFRESH_TOKEN'],
  ])('refuses %s', async (_case, refreshToken, code) => {
    const { userErrors } = await app.refresh(refreshToken);

    expect(userErrors).toEqual([{ ...refused, code }]);
  });

  test.each([
    ['cut', (token: string) => token.slice(0, -1)],
    ['longer', (token: string) => `${token}A`],
    ['altered by a letter', (token: string) => (token.startsWith('A') ? 'B' : 'A') + token.slice(1)],
    ['in capitals', (token: string) => token.toUpperCase()],
    ['with a space', (token: string) => ` ${token}`],
    ['as it is stored', hashSecret],
  ])('refuses a token %s, and does not take it for a theft', async (_case, spoil) => {
    const { email } = await app.person();
    const { refreshToken } = await app.signIn(email);

    const { userErrors } = await app.refresh(spoil(refreshToken));

    expect(userErrors).toEqual([refused]);
    expect(await isLive(refreshToken)).toBe(true);
  });
});

describe('logout', () => {
  test('ends the session of the access token, at the gateways too', async () => {
    const { email } = await app.person();
    const { as, refreshToken, sessionId } = await app.signIn(email);

    expect(await app.run('logout', {}, 'loggedOut', { as })).toEqual({ loggedOut: true, userErrors: [] });
    expect(await app.run('logout', {}, 'loggedOut', { as })).toEqual({ loggedOut: true, userErrors: [] });

    expect(await isLive(refreshToken)).toBe(false);
    expect(await app.isAnnounced(sessionId)).toBe(true);
  });

  test('ends the session of a refresh token without an access token', async () => {
    const { email } = await app.person();
    const { refreshToken, sessionId } = await app.signIn(email);

    await app.run('logout', { refreshToken }, 'loggedOut', { as: null });

    expect(await isLive(refreshToken)).toBe(false);
    expect(await app.isAnnounced(sessionId)).toBe(true);
  });

  test('ends every session when it shall be everywhere', async () => {
    const { email } = await app.person();
    const one = await app.signIn(email);
    const two = await app.signIn(email);

    await app.run('logout', { everywhere: true }, 'loggedOut', { as: one.as });

    expect([await isLive(one.refreshToken), await isLive(two.refreshToken)]).toEqual([false, false]);
  });

  test('refuses nobody in particular, and a token of no session', async () => {
    expect(await app.refusal('logout', {}, 'loggedOut', { as: null })).toBe('UNAUTHENTICATED');
    const { userErrors } = await app.run('logout', { refreshToken: 'A'.repeat(43) }, 'loggedOut', { as: null });
    expect(userErrors).toEqual([refused]);
  });
});

describe('the list of sessions', () => {
  const SESSIONS = '{ sessions(first: 10) { totalCount nodes { id isCurrent device { name userAgent ip } user { id } } } }';
  const firefox = 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0';

  test('shows the viewer where it is signed in, newest first', async () => {
    const { email } = await app.person();
    const phone = await app.signIn(email, { client: { ip: '10.1.1.1', userAgent: 'SokoAndroid/2.1 (Android 15)' } });
    const desk = await app.signIn(email, { client: { ip: '10.1.1.2', userAgent: firefox } });

    const { data } = await app.ask(SESSIONS, {}, { as: desk.as });

    expect(data.sessions).toEqual({
      totalCount: 2,
      nodes: [
        {
          id: desk.sessionId,
          isCurrent: true,
          device: { name: 'Firefox on Linux', userAgent: firefox, ip: '10.1.1.2' },
          user: { id: desk.as.id },
        },
        {
          id: phone.sessionId,
          isCurrent: false,
          device: { name: 'Android', userAgent: expect.any(String), ip: '10.1.1.1' },
          user: { id: desk.as.id },
        },
      ],
    });
  });

  test('follows a device to where it is now', async () => {
    const { email } = await app.person();
    const { as, refreshToken } = await app.signIn(email, { client: { ip: '10.1.1.1', userAgent: firefox } });

    await app.refresh(refreshToken, { client: { ip: '10.9.9.9' } });

    const { data } = await app.ask(SESSIONS, {}, { as });
    expect(data.sessions.nodes[0].device).toEqual({ name: 'Firefox on Linux', userAgent: firefox, ip: '10.9.9.9' });
  });

  test('leaves out what has ended, and what is somebody else’s', async () => {
    const { email, as } = await app.person();
    const other = await app.person();
    const gone = await app.signIn(email);
    await app.run('logout', { refreshToken: gone.refreshToken }, 'loggedOut');
    await app.signIn(other.email);

    const { data } = await app.ask(SESSIONS, {}, { as });

    expect(data.sessions).toEqual({ totalCount: 0, nodes: [] });
  });

  test('is closed to nobody in particular, and refuses garbage for a cursor', async () => {
    const { as } = await app.person();

    expect((await app.ask(SESSIONS, {}, { as: null })).errors![0]!.extensions['code']).toBe('UNAUTHENTICATED');
    const { errors } = await app.ask('query ($after: Cursor) { sessions(after: $after) { totalCount } }', { after: 'garbage' }, { as });
    expect(errors![0]!.extensions['code']).toBe('INVALID_CURSOR');
  });
});

describe('revokeSession', () => {
  test('signs another device out, once and for all', async () => {
    const { email } = await app.person();
    const lost = await app.signIn(email);
    const { as, refreshToken } = await app.signIn(email);

    for (let twice = 0; twice < 2; twice += 1) {
      expect(await app.run('revokeSession', { id: lost.sessionId }, 'revokedId', { as })).toEqual({
        revokedId: lost.sessionId,
        userErrors: [],
      });
    }

    expect(await isLive(lost.refreshToken)).toBe(false);
    expect(await app.isAnnounced(lost.sessionId)).toBe(true);
    expect(await isLive(refreshToken)).toBe(true);
  });

  test.each([
    ['somebody else’s', async () => (await app.signIn((await app.person()).email)).sessionId],
    ['an unknown', async () => 'ses_01ARZ3NDEKTSV4RRFFQ69G5FAV'],
    ['no', async () => ''],
  ])('knows nothing of %s session', async (_case, idOf) => {
    const { as } = await app.person();

    const { userErrors } = await app.run('revokeSession', { id: await idOf() }, 'revokedId', { as });

    expect(userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'id'], message: expect.any(String) }]);
  });
});

describe('revokeAllSessions', () => {
  test('signs every device out, or every other one', async () => {
    const { email } = await app.person();
    const one = await app.signIn(email);
    const two = await app.signIn(email);
    const stranger = await app.signIn((await app.person()).email);

    expect(await app.run('revokeAllSessions', { exceptCurrent: true }, 'revokedCount', { as: two.as })).toEqual({
      revokedCount: 1,
      userErrors: [],
    });
    expect(await isLive(one.refreshToken)).toBe(false);
    expect(await app.run('revokeAllSessions', {}, 'revokedCount', { as: two.as })).toEqual({ revokedCount: 1, userErrors: [] });

    expect(await isLive(two.refreshToken)).toBe(false);
    expect(await isLive(stranger.refreshToken)).toBe(true);
  });
});

describe('ended sessions', () => {
  test('are announced again to a Redis that was wiped, as long as the longest access token can be good', async () => {
    const { email } = await app.person();
    const { as, sessionId } = await app.signIn(email);
    await app.run('logout', {}, 'loggedOut', { as });
    await app.host.redis.unlink(`${app.ctx().redisPrefix}:sessions:revoked:${sessionId}`);

    await app.runJob('announce-revoked-sessions');
    expect(await app.isAnnounced(sessionId)).toBe(true);

    await app.host.redis.unlink(`${app.ctx().redisPrefix}:sessions:revoked:${sessionId}`);
    app.clock.advance(59 * 60_000);
    await app.runJob('announce-revoked-sessions');
    expect(await app.isAnnounced(sessionId)).toBe(true);

    await app.host.redis.unlink(`${app.ctx().redisPrefix}:sessions:revoked:${sessionId}`);
    app.clock.advance(60_000 + 1_000);
    await app.runJob('announce-revoked-sessions');
    expect(await app.isAnnounced(sessionId)).toBe(false);
  });

  test('end also when Redis is away, and are announced when it is back', async () => {
    await using other = await openAccounts({ environment });
    const { email } = await other.person();
    const { as, sessionId } = await other.signIn(email);
    other.host.redis.disconnect();

    expect(await other.run('logout', {}, 'loggedOut', { as })).toEqual({ loggedOut: true, userErrors: [] });

    await other.host.redis.connect();
    await other.runJob('announce-revoked-sessions');
    expect(await other.isAnnounced(sessionId)).toBe(true);
  });
});

/** Repeatable, so that a race that was lost can be run again. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}
