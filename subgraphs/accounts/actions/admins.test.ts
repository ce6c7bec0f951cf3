import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import { newEmail, openAccounts, type Accounts } from '../testing.ts';

let app: Accounts;
let admin: Viewer;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());
beforeEach(async () => {
  await app.ctx().models.User.updateMany({ roles: 'admin' }, { roles: ['customer'] });
  admin = (await app.person({ roles: ['admin'] })).as;
});

const USER = 'user { id roles scopes isActive deactivationReason version }';
const setRoles = (input: object, as = admin) => app.run('setUserRoles', input, USER, { as });
const notFound = [{ code: 'NOT_FOUND', path: ['input', 'id'], message: expect.any(String) }];

describe('setUserRoles', () => {
  test('says what somebody may do, from the next refresh on', async () => {
    const { email, user } = await app.person();
    const { refreshToken } = await app.signIn(email);

    const answer = await setRoles({ id: user._id, expectedVersion: 1, roles: ['CUSTOMER', 'AGENT', 'AGENT'], scopes: ['reports:read'] });

    expect(answer).toEqual({
      user: { id: user._id, roles: ['CUSTOMER', 'AGENT'], scopes: ['reports:read'], isActive: true, deactivationReason: null, version: 2 },
      userErrors: [],
    });
    const { accessToken } = await app.refresh(refreshToken);
    expect(JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url').toString())).toMatchObject({
      roles: ['customer', 'agent'],
      scopes: ['reports:read'],
    });
    expect((await app.said('User.ProfileUpdated')).filter(({ data }) => data.userId === user._id)).toMatchObject([
      { data: { changes: ['roles', 'scopes'] } },
    ]);
  });

  test.each([
    ['a role', { roles: ['AGENT'] }],
    ['a scope', { roles: ['CUSTOMER', 'AGENT'], scopes: [] }],
  ])('signs out at once who loses %s', async (_case, less) => {
    const { email, user } = await app.person({ roles: ['customer', 'agent'] });
    await app.ctx().models.User.updateOne({ _id: user._id }, { scopes: ['reports:read'] });
    const { refreshToken, sessionId } = await app.signIn(email);

    await setRoles({ id: user._id, expectedVersion: 1, ...less });

    expect(await app.isAnnounced(sessionId)).toBe(true);
    expect((await app.refresh(refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
  });

  test('refuses a version that is not the current one, and names it', async () => {
    const { user } = await app.person();
    await setRoles({ id: user._id, expectedVersion: 1, roles: ['AGENT'] });

    const { data } = await app.ask(
      'mutation ($input: SetUserRolesInput!) { setUserRoles(input: $input) { user { id } userErrors { __typename code path ... on StaleVersionError { currentVersion } } } }',
      { input: { id: user._id, expectedVersion: 1, roles: ['ADMIN'] } },
      { as: admin },
    );

    expect(data.setUserRoles).toEqual({
      user: null,
      userErrors: [{ __typename: 'StaleVersionError', code: 'STALE_VERSION', path: ['input', 'expectedVersion'], currentVersion: 2 }],
    });
  });

  test('lets one of two win who change the same account at the same time', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { user } = await app.person();

      const answers = await Promise.all(['AGENT', 'VENDOR'].map((role) => setRoles({ id: user._id, expectedVersion: 1, roles: [role] })));

      expect(answers.filter((answer) => answer.user)).toHaveLength(1);
      expect(answers.flatMap(({ userErrors }) => userErrors.map(({ code }: { code: string }) => code))).toEqual(['STALE_VERSION']);
    }
  });

  test('keeps the last admin', async () => {
    const lastAdmin = [{ code: 'LAST_ADMIN', path: ['input'], message: expect.any(String) }];

    expect((await setRoles({ id: admin.id, expectedVersion: 1, roles: ['CUSTOMER'] })).userErrors).toEqual(lastAdmin);

    await app.person({ roles: ['admin'] });
    expect((await setRoles({ id: admin.id, expectedVersion: 1, roles: ['CUSTOMER'] })).userErrors).toEqual([]);
  });

  test('keeps one of two admins who remove each other at the same time', async () => {
    for (let round = 0; round < 4; round += 1) {
      await app.ctx().models.User.updateMany({ roles: 'admin' }, { roles: ['customer'] });
      const [one, other] = [await app.person({ roles: ['admin'] }), await app.person({ roles: ['admin'] })];

      await Promise.all([
        setRoles({ id: other.as.id, expectedVersion: 1, roles: ['CUSTOMER'] }, one.as),
        app.run('deactivateUser', { id: one.as.id, reason: 'a fight' }, USER, { as: other.as }),
      ]);

      expect(await app.ctx().models.User.countDocuments({ roles: 'admin', isActive: true })).toBe(1);
    }
  });

  test.each([
    ['no roles', { roles: [] }, ['roles']],
    ['251 roles', { roles: Array.from({ length: 251 }, () => 'AGENT') }, ['roles']],
    ['a scope without a part', { scopes: ['reports'] }, ['scopes', '0']],
    ['an endless scope', { scopes: [`reports:${'x'.repeat(10_000)}`] }, ['scopes', '0']],
    ['51 scopes', { scopes: Array.from({ length: 51 }, (_, index) => `reports:r${'x'.repeat(index % 20)}`) }, ['scopes']],
  ])('refuses %s', async (_case, wrong, path) => {
    const { user } = await app.person();

    const { userErrors } = await setRoles({ id: user._id, expectedVersion: 1, roles: ['AGENT'], ...wrong });

    expect(userErrors).toEqual([{ code: 'INVALID', path: ['input', ...path], message: expect.any(String) }]);
  });

  test('knows no role but those there are, and no account but those there are', async () => {
    const { user } = await app.person();

    expect(await app.refusal('setUserRoles', { id: user._id, expectedVersion: 1, roles: ['ROOT'] }, USER, { as: admin })).toBe(
      'BAD_USER_INPUT',
    );
    expect((await setRoles({ id: 'usr_unknown', expectedVersion: 1, roles: ['AGENT'] })).userErrors).toEqual(notFound);
  });
});

describe('deactivateUser', () => {
  test('signs somebody out everywhere and lets nobody in, until activateUser', async () => {
    const { email, user } = await app.person();
    const { as, refreshToken, sessionId } = await app.signIn(email);
    const close = () => app.run('deactivateUser', { id: user._id, reason: 'Chargebacks' }, USER, { as: admin });

    expect((await close()).user).toMatchObject({ isActive: false, deactivationReason: 'Chargebacks', version: 2 });
    expect((await close()).user).toMatchObject({ isActive: false, version: 2 });

    expect(await app.isAnnounced(sessionId)).toBe(true);
    expect((await app.refresh(refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
    expect((await app.login(email)).userErrors[0].code).toBe('ACCOUNT_DEACTIVATED');
    expect(await app.refusal('updateProfile', { name: 'x' }, 'user { id }', { as })).toBe('UNAUTHENTICATED');

    const { user: opened } = await app.run('activateUser', { id: user._id }, USER, { as: admin });
    expect(opened).toMatchObject({ isActive: true, deactivationReason: null, version: 3 });
    expect((await app.login(email)).session).not.toBeNull();
  });

  test('leaves no session open, whoever signs in meanwhile', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { email, user } = await app.person();

      await Promise.allSettled([
        app.run('deactivateUser', { id: user._id, reason: 'x' }, USER, { as: admin }),
        ...Array.from({ length: 4 }, () => app.login(email)),
      ]);

      expect(await app.ctx().models.Session.countDocuments({ userId: user._id, revokedAt: null })).toBe(0);
    }
  });

  test('voids links that were mailed', async () => {
    const { email, user } = await app.person();
    await app.run('forgotPassword', { email }, 'accepted', { as: null });
    const token = await app.mailedToken(email);
    await app.run('deactivateUser', { id: user._id, reason: 'x' }, USER, { as: admin });
    await app.run('activateUser', { id: user._id }, USER, { as: admin });

    expect((await app.run('resetPassword', { token, newPassword: 'another good password' }, 'reset')).userErrors[0].code).toBe(
      'INVALID_TOKEN',
    );
  });

  test.each([
    ['no reason', { reason: ' ' }],
    ['10,000 characters', { reason: 'x'.repeat(10_000) }],
    ['a NUL', { reason: 'x\0' }],
  ])('refuses %s', async (_case, wrong) => {
    const { user } = await app.person();

    const { userErrors } = await app.run('deactivateUser', { id: user._id, ...wrong }, USER, { as: admin });

    expect(userErrors).toEqual([{ code: 'INVALID', path: ['input', 'reason'], message: expect.any(String) }]);
  });

  test('keeps the last admin, and knows nothing of an unknown account', async () => {
    expect((await app.run('deactivateUser', { id: admin.id, reason: 'x' }, USER, { as: admin })).userErrors[0].code).toBe('LAST_ADMIN');
    expect((await app.run('deactivateUser', { id: 'usr_x', reason: 'x' }, USER, { as: admin })).userErrors).toEqual(notFound);
    expect((await app.run('activateUser', { id: 'usr_x' }, USER, { as: admin })).userErrors).toEqual(notFound);
  });
});

describe('users', () => {
  const list = (args: string, variables: object = {}, as: Viewer | null = admin) => {
    const types: Record<string, string> = { where: 'UserWhere', after: 'Cursor' };
    const declared = Object.keys(variables).map((name) => `$${name}: ${types[name]}`);
    const selection = `users(${args}) { totalCount nodes { email roles } pageInfo { endCursor hasNextPage } }`;
    return app.ask(`query ${declared.length > 0 ? `(${declared.join(', ')})` : ''} { ${selection} }`, { ...variables }, { as });
  };
  const emails = ({ data }: Awaited<ReturnType<typeof list>>) => data.users.nodes.map(({ email }: { email: string }) => email);

  test('are listed page by page, newest first or as sorted', async () => {
    const mark = `page-${newEmail().split('@')[0]}`;
    for (const letter of ['b', 'a', 'c']) await app.person({ email: `${mark}-${letter}@soko.example`, name: `Name ${letter}` });
    const where = { email: { startsWith: mark } };

    expect(emails(await list('first: 10, where: $where', { where }))).toEqual(
      ['c', 'a', 'b'].map((letter) => `${mark}-${letter}@soko.example`),
    );
    const first = await list('first: 2, where: $where, sort: { field: NAME }', { where });
    expect([emails(first), first.data.users.totalCount]).toEqual([['a', 'b'].map((letter) => `${mark}-${letter}@soko.example`), 3]);
    const second = await list('first: 2, where: $where, sort: { field: NAME }, after: $after', {
      where,
      after: first.data.users.pageInfo.endCursor,
    });
    expect([emails(second), second.data.users.pageInfo.hasNextPage]).toEqual([[`${mark}-c@soko.example`], false]);
  });

  test('are found by role, state and confirmation', async () => {
    const mark = `find-${newEmail().split('@')[0]}`;
    const agent = await app.person({ email: `${mark}-agent@soko.example`, roles: ['customer', 'agent'] });
    const closed = await app.person({ email: `${mark}-closed@soko.example` });
    await app.run('deactivateUser', { id: closed.as.id, reason: 'x' }, USER, { as: admin });
    await app.run('register', { email: `${mark}-new@soko.example`, password: 'correct horse battery staple', name: 'x' }, 'accepted', {
      as: null,
    });
    const found = async (where: object) => emails(await list('where: $where', { where: { email: { startsWith: mark }, ...where } }));

    expect(await found({ role: { eq: 'AGENT' } })).toEqual([agent.email]);
    expect(await found({ role: { in: ['AGENT', 'VENDOR'] } })).toEqual([agent.email]);
    expect((await found({ role: { ne: 'AGENT' } })).sort()).toEqual([closed.email, `${mark}-new@soko.example`]);
    expect(await found({ isActive: { eq: false } })).toEqual([closed.email]);
    expect(await found({ verified: { eq: false } })).toEqual([`${mark}-new@soko.example`]);
    expect(await found({ OR: [{ isActive: { eq: false } }, { role: { eq: 'AGENT' } }] })).toHaveLength(2);
    expect(await found({ id: { in: [agent.as.id] } })).toEqual([agent.email]);
  });

  test('refuse what is no filter, no page and no cursor', async () => {
    const codes = [];
    for (const [args, variables] of [
      ['first: 101', {}],
      ['first: -1', {}],
      ['after: $after', { after: 'garbage' }],
      ['where: $where', { where: { email: { $ne: null } } }],
      ['where: $where', { where: { email: { startsWith: 'x'.repeat(65) } } }],
      ['where: $where', { where: { id: { in: Array.from({ length: 251 }, () => 'x') } } }],
    ] as const) {
      codes.push((await list(args, variables)).errors![0]!.extensions['code']);
    }
    expect(codes).toEqual(['INVALID', 'INVALID', 'INVALID_CURSOR', 'BAD_USER_INPUT', 'INVALID', 'INVALID']);
  });

  test('are for admins', async () => {
    const { as } = await app.person({ roles: ['customer', 'vendor', 'agent'] });

    expect((await list('first: 1', {}, as)).errors![0]!.extensions['code']).toBe('FORBIDDEN');
    expect((await list('first: 1', {}, null)).errors![0]!.extensions['code']).toBe('UNAUTHENTICATED');
  });
});
