import { describe, expect, test } from '@jest/globals';
import { createSecretKey } from 'node:crypto';
import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose';
import { env } from './env.ts';
import { signIdentity, verifyIdentity, type Identity } from './identity.ts';

const identity: Identity = {
  issuer: 'gateway',
  viewer: { id: 'usr_1', roles: ['editor'], scopes: ['notes:write'], sessionId: 'ses_1' },
  client: { ip: '10.0.0.7', userAgent: 'test' },
};
const secret = createSecretKey(Buffer.from(env.INTERNAL_SECRET));
const claims = (alg = 'HS256') =>
  new SignJWT({ viewer: null, purpose: 'graphql' })
    .setProtectedHeader({ alg })
    .setIssuer('gateway')
    .setAudience('notes')
    .setIssuedAt()
    .setExpirationTime('60s');
const ago = (seconds: number): Date => new Date(Date.now() - seconds * 1000);

test('brings the viewer and the client to the subgraph it was signed for', async () => {
  const token = await signIdentity(identity, 'notes');

  await expect(verifyIdentity(token, 'notes')).resolves.toEqual(identity);
  const { exp = 0, iat = 0 } = decodeJwt(token);
  expect(exp - iat).toBe(60);
});

test('carries an anonymous viewer as null', async () => {
  const token = await signIdentity({ issuer: 'gateway', viewer: null }, 'notes');

  await expect(verifyIdentity(token, 'notes')).resolves.toEqual({ issuer: 'gateway', viewer: null, client: undefined });
});

test('gives the same answer when a token is shown again', async () => {
  const token = await signIdentity(identity, 'notes');

  const [first, second] = [await verifyIdentity(token, 'notes'), await verifyIdentity(token, 'notes')];

  expect(second).toBe(first);
  await expect(verifyIdentity(token, 'boards')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('opens one command for a subgraph that asks it, also when the token is shown again', async () => {
  const asker = { ...identity, issuer: 'boards' };
  const token = await signIdentity(asker, 'notes', 'command notes.echo');

  for (let shown = 0; shown < 2; shown += 1) {
    await expect(verifyIdentity(token, 'notes', 'command notes.echo')).resolves.toEqual(asker);
    await expect(verifyIdentity(token, 'notes', 'command notes.drop')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await expect(verifyIdentity(token, 'notes')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  }
});

describe('refuses', () => {
  test.each<[string, () => Promise<string> | string]>([
    ['a token for another subgraph', () => signIdentity(identity, 'boards')],
    [
      'a token without a signature',
      () => new UnsecuredJWT({ viewer: null }).setAudience('notes').setIssuer('gateway').setIssuedAt().setExpirationTime('60s').encode(),
    ],
    ['a token signed with another secret', () => claims().sign(createSecretKey(Buffer.from('another secret that is long enough')))],
    ['a token of another algorithm', () => claims('HS512').sign(secret)],
    ['a token that has expired', () => claims().setIssuedAt(ago(120)).setExpirationTime(ago(60)).sign(secret)],
    ['a token that would live for a day', () => claims().setIssuedAt(ago(3_600)).setExpirationTime('1d').sign(secret)],
    [
      'a token that never expires',
      () =>
        new SignJWT({ viewer: null, purpose: 'graphql' })
          .setProtectedHeader({ alg: 'HS256' })
          .setIssuer('gateway')
          .setAudience('notes')
          .setIssuedAt()
          .sign(secret),
    ],
    [
      'a token that says nothing of a viewer',
      () =>
        new SignJWT({ purpose: 'graphql' })
          .setProtectedHeader({ alg: 'HS256' })
          .setIssuer('g')
          .setAudience('notes')
          .setIssuedAt()
          .setExpirationTime('60s')
          .sign(secret),
    ],
    [
      'a token that says nothing of its purpose',
      () =>
        new SignJWT({ viewer: null })
          .setProtectedHeader({ alg: 'HS256' })
          .setIssuer('g')
          .setAudience('notes')
          .setIssuedAt()
          .setExpirationTime('60s')
          .sign(secret),
    ],
    ['a token for a command', () => signIdentity({ ...identity, issuer: 'boards' }, 'notes', 'command notes.echo')],
    [
      'an altered token',
      async () =>
        (await signIdentity(identity, 'notes')).replace(
          /\.[^.]+\./,
          `.${Buffer.from('{"viewer":{"id":"usr_2","roles":["admin"],"scopes":[]},"aud":"notes"}').toString('base64url')}.`,
        ),
    ],
    ['text that is no token', () => 'internal'],
    ['nothing', () => ''],
  ])('%s', async (_case, make) => {
    const token = await make();

    await expect(verifyIdentity(token, 'notes')).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  });
});
