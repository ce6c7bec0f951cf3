import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPairSync } from 'node:crypto';
import type { Viewer } from '#shared/base/identity.ts';
import { viewer } from '#shared/testing/open.ts';
import { seedAccount } from './actions/register.ts';
import { findAccounts } from './contract.ts';
import { deviceName } from './devices.ts';
import { permissions } from './permissions.ts';
import { providers } from './providers/providers.ts';
import { environment as schema } from './providers/environment.ts';
import { newEmail, openAccounts, PASSWORD, type Accounts } from './testing.ts';

const PRIVATE_FIELDS = [
  'email',
  'verified',
  'name',
  'phone',
  'locale',
  'profile { key }',
  'roles',
  'scopes',
  'isActive',
  'deactivationReason',
  'mfaEnabled',
  'recoveryCodesLeft',
  'hasPassword',
  'googleLinked',
  'addresses { id }',
  'defaultAddress { id }',
  'lastSignInAt',
  'createdAt',
  'updatedAt',
  'version',
];

let app: Accounts;
let admin: Viewer;
beforeAll(async () => {
  app = await openAccounts();
  admin = (await app.person({ roles: ['admin'] })).as;
});
afterAll(() => app.close());

test('registers, confirms, signs in and shows who it is', async () => {
  const email = newEmail();

  const registered = await app.run('register', { email, password: PASSWORD, name: 'Mwape Kasonde' }, 'accepted', { as: null });
  expect(registered).toEqual({ accepted: true, userErrors: [] });
  expect(await app.run('verifyEmail', { token: await app.mailedToken(email) }, 'verified')).toEqual({ verified: true, userErrors: [] });
  const { as } = await app.signIn(email);

  const { data } = await app.ask(`{ me { id displayName ${PRIVATE_FIELDS.join(' ')} } }`, {}, { as });
  expect(data.me).toEqual({
    id: as.id,
    displayName: 'Mwape K.',
    email,
    verified: true,
    name: 'Mwape Kasonde',
    phone: null,
    locale: null,
    profile: [],
    roles: ['CUSTOMER'],
    scopes: [],
    isActive: true,
    deactivationReason: null,
    mfaEnabled: false,
    recoveryCodesLeft: 0,
    hasPassword: true,
    googleLinked: false,
    addresses: [],
    defaultAddress: null,
    lastSignInAt: expect.any(String),
    createdAt: expect.any(String),
    updatedAt: expect.any(String),
    version: 1,
  });
});

describe('a user', () => {
  test('is nobody for who is not signed in', async () => {
    expect((await app.ask('{ me { id } }', {}, { as: null })).data.me).toBeNull();
    expect((await app.ask('{ me { id } }', {}, { as: viewer('usr_gone') })).data.me).toBeNull();
  });

  test('is found by id by the person and by admins only', async () => {
    const { as } = await app.person({ name: 'Chipo Moonga' });
    const stranger = await app.person({ roles: ['customer', 'vendor', 'agent'] });
    const find = (id: string, who: Viewer | null) => app.ask('query ($id: ID!) { user(id: $id) { id email } }', { id }, { as: who });

    expect((await find(as.id, as)).data.user.id).toBe(as.id);
    expect((await find(as.id, admin)).data.user.id).toBe(as.id);
    expect(await find(as.id, stranger.as)).toEqual(await find('usr_unknown', stranger.as));
    expect((await find(as.id, stranger.as)).data.user).toBeNull();
    expect((await find('usr_unknown', admin)).data.user).toBeNull();
    expect((await find(as.id, null)).errors![0]!.extensions['code']).toBe('UNAUTHENTICATED');
  });

  test.each([
    ['a stranger', viewer('usr_stranger', ['customer', 'vendor', 'agent']), 'FORBIDDEN'],
    ['nobody in particular', null, 'UNAUTHENTICATED'],
  ])('shows %s an id and a name to be called by, on the entity door too', async (_case, who, code) => {
    const { as } = await app.person({ name: 'Thandiwe Mary Ngoma' });
    const representation = [{ __typename: 'User', id: as.id, isProven: true, _id: as.id, email: 'forged@soko.example' }];

    const plain = await app.entities(representation, '... on User { id displayName }', { as: who });
    const all = await app.entities(representation, `... on User { id displayName ${PRIVATE_FIELDS.join(' ')} }`, { as: who });

    expect(plain.data._entities).toEqual([{ __typename: 'User', id: as.id, displayName: 'Thandiwe N.' }]);
    expect(all.errors).toHaveLength(PRIVATE_FIELDS.length);
    expect(new Set(all.errors!.map(({ extensions }) => extensions['code']))).toEqual(new Set([code]));
    expect(Object.values(all.data._entities[0]).filter((value) => value !== null)).toEqual(['User', as.id, 'Thandiwe N.']);
  });

  test('shows each only what is theirs when several are asked for at once', async () => {
    const [own, other] = [await app.person(), await app.person()];
    const representations = [own, other, own].map(({ as }) => ({ __typename: 'User', id: as.id }));

    const { data } = await app.entities(representations, '... on User { id email }', { as: own.as });
    const asAdmin = await app.entities(representations, '... on User { id email }', { as: admin });

    expect(data._entities.map(({ email }: { email: string | null }) => email)).toEqual([own.email, null, own.email]);
    expect(asAdmin.data._entities.map(({ email }: { email: string | null }) => email)).toEqual([own.email, other.email, own.email]);
  });

  test.each([['usr_unknown'], [''], [{ $ne: null }], [['a']], [17]])('is null for the reference %j', async (id) => {
    const { data } = await app.entities([{ __typename: 'User', id }], '... on User { id }', { as: admin });

    expect(data._entities).toEqual([null]);
  });

  test('has no field with a hash, a secret or a token', async () => {
    const { data } = await app.ask('{ __type(name: "User") { fields { name } } }');

    const names = data.__type.fields.map(({ name }: { name: string }) => name);
    expect(names.filter((name: string) => /hash|secret|token|password(?!s?$)/i.test(name) && name !== 'hasPassword')).toEqual([]);
  });

  test.each([
    ['Thandiwe Mary Ngoma', 'Thandiwe N.'],
    ['Madonna', 'Madonna'],
    ['花子 山田', '花子 山.'],
    ['Zo 👩🏾‍🌾', 'Zo 👩.'],
  ])('called %s is shown as %s', async (name, shown) => {
    const { as } = await app.person({ name });

    expect((await app.ask('{ me { displayName } }', {}, { as })).data.me.displayName).toBe(shown);
  });
});

describe('without an access token', () => {
  const open = new Set([
    'register',
    'requestEmailVerification',
    'verifyEmail',
    'login',
    'loginWithMfa',
    'refreshSession',
    'logout',
    'forgotPassword',
    'resetPassword',
    'googleAuthUrl',
    'googleOAuth',
  ]);
  const mutations = Object.keys(permissions.Mutation);

  /** Any input that fits the schema: what stands in it must not matter. */
  async function inputOf(mutation: string): Promise<Record<string, unknown>> {
    const { data } = await app.ask(
      `{ __type(name: "${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input") { inputFields { name type { kind ofType { name kind } } } } }`,
    );
    const required = data.__type.inputFields.filter(({ type }: { type: { kind: string } }) => type.kind === 'NON_NULL');
    const value = ({ name, kind }: { name: string | null; kind: string }) => (kind === 'LIST' ? [] : name === 'Int' ? 1 : 'x');
    return Object.fromEntries(
      required.map(({ name, type }: { name: string; type: { ofType: { name: string; kind: string } } }) => [name, value(type.ofType)]),
    );
  }

  test.each(mutations.filter((mutation) => !open.has(mutation)).map((mutation) => [mutation]))('%s is closed', async (mutation) => {
    expect(await app.refusal(mutation, await inputOf(mutation), '', { as: null })).toBe('UNAUTHENTICATED');
  });

  test.each([['setUserRoles'], ['deactivateUser'], ['activateUser']])('%s is closed to all but admins', async (mutation) => {
    const { as } = await app.person({ roles: ['customer', 'vendor', 'agent'] });

    expect(await app.refusal(mutation, await inputOf(mutation), '', { as })).toBe('FORBIDDEN');
  });
});

describe('findAccounts', () => {
  test('answers those that exist, with what others need of them', async () => {
    const { as, email } = await app.person({ name: 'Chipo Moonga' });

    expect(await app.call(findAccounts, { ids: [as.id, 'usr_unknown', as.id] })).toEqual({
      accounts: [{ id: as.id, name: 'Chipo Moonga', email, emailVerified: true, roles: ['customer'], isActive: true }],
    });
  });

  test('refuses 101 ids', async () => {
    await expect(app.call(findAccounts, { ids: Array.from({ length: 101 }, () => 'usr_1') })).rejects.toMatchObject({ code: 'INVALID' });
  });
});

describe('seedAccount', () => {
  const wanted = () => ({
    email: newEmail(),
    password: PASSWORD,
    name: 'Moses Lungu',
    roles: ['customer', 'agent'] as const,
    addresses: [{ recipient: 'Moses', phone: '+260975550122', line1: 'Plot 1', city: 'Lusaka', country: 'ZM' }],
  });

  test('makes an account that is confirmed, with roles and addresses, and says so', async () => {
    const input = wanted();
    const { user, isNew } = await seedAccount(app.ctx(), { ...input, roles: [...input.roles] });

    expect(isNew).toBe(true);
    const { as } = await app.signIn(input.email);
    const { data } = await app.ask('{ me { verified roles defaultAddress { recipient } } }', {}, { as });
    expect(data.me).toEqual({ verified: true, roles: ['CUSTOMER', 'AGENT'], defaultAddress: { recipient: 'Moses' } });
    expect((await app.said('User.Registered')).filter((event) => event.data.userId === user._id)).toMatchObject([
      { data: { role: 'agent', roles: ['customer', 'agent'] } },
    ]);
  });

  test('leaves an account alone that is there', async () => {
    const input = wanted();
    const first = await seedAccount(app.ctx(), { ...input, roles: ['customer'] });

    const second = await seedAccount(app.ctx(), { ...input, roles: ['admin'], password: 'another good password' });

    expect(second).toEqual({ user: first.user, isNew: false });
  });
});

describe('the environment', () => {
  const pem = (type: 'ed25519' | 'x25519') =>
    generateKeyPairSync(type as 'ed25519')
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString();

  test.each([
    ['an access token of 4 minutes', { ACCESS_TOKEN_MINUTES: '4' }],
    ['an access token of 61 minutes', { ACCESS_TOKEN_MINUTES: '61' }],
    ['a session of no hours', { REFRESH_TOKEN_HOURS: '0' }],
    ['a mail server that is none', { SMTP_URL: 'https://mail.example' }],
  ])('refuses %s', async (_case, environment) => {
    const [name] = Object.keys(environment);
    await expect(openAccounts({ environment: environment as unknown as Record<string, string> })).rejects.toThrow(`Environment: ${name}: `);
  });

  test('must bring a key in production, and one of the right kind', () => {
    const open_ = (environment: object) => providers(schema.parse(environment));

    expect(() => open_({ NODE_ENV: 'production' })).toThrow('ACCESS_TOKEN_PRIVATE_KEY must be set');
    expect(() => open_({ ACCESS_TOKEN_PRIVATE_KEY: pem('x25519') })).toThrow('must be an Ed25519 key');
    expect(() => open_({ NODE_ENV: 'production', ACCESS_TOKEN_PRIVATE_KEY: pem('ed25519') })).not.toThrow();
  });

  test('decides how long tokens and sessions live', async () => {
    await using other = await openAccounts({ environment: { ACCESS_TOKEN_MINUTES: '5', REFRESH_TOKEN_HOURS: '24' } });
    const { email } = await other.person();

    const { accessTokenExpiresAt, refreshTokenExpiresAt } = await other.login(email);

    const minutesLeft = (time: string) => Math.round((new Date(time).getTime() - other.clock.now().getTime()) / 60_000);
    expect([minutesLeft(accessTokenExpiresAt), minutesLeft(refreshTokenExpiresAt)]).toEqual([5, 24 * 60]);
  });
});

test.each([
  [
    'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0',
    'Edge on Windows',
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1',
    'Safari on iPhone',
  ],
  ['Mozilla/5.0 (Linux; Android 15; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Mobile Safari/537.36', 'Chrome on Android'],
  ['curl/8.5.0', 'curl'],
  ['', 'Unknown device'],
])('a device that says %j is called %s', (userAgent, name) => {
  expect(deviceName(userAgent)).toBe(name);
});
