import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { answering } from '#shared/testing/open.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { findMemberships } from '../../vendors/contract.ts';
import { findAccounts } from '../contract.ts';
import { openAccounts, PASSWORD, type Accounts } from '../testing.ts';

const owners = new Set<string>();
const closed = new Set<string>();
const place = (userId: string) => ({
  vendorId: 'vnd_1',
  role: 'OWNER',
  permissions: [],
  state: closed.has(userId) ? ('CLOSED' as const) : ('ACTIVE' as const),
});

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts({
    answers: [answering(findMemberships, ({ userId }) => ({ memberships: owners.has(userId) ? [place(userId)] : [] }))],
  });
});
afterAll(() => app.close());

const ask = (as: Viewer, password: string | null = PASSWORD) => app.run('requestAccountDeletion', { password }, 'accepted', { as });
const remove = (as: Viewer, token: string) => app.run('deleteAccount', { token }, 'deletedId', { as });
const badToken = [{ code: 'INVALID_TOKEN', path: ['input', 'token'], message: expect.any(String) }];

test('an account goes with what it knew of the person, and the world is told', async () => {
  const { email, user } = await app.person({ name: 'Namakau Sitali' });
  const { as, refreshToken, sessionId } = await app.signIn(email, { client: { ip: '10.7.7.7', userAgent: 'Mozilla/5.0 Sitali' } });
  await app.run(
    'createAddress',
    { recipient: 'Namakau Sitali', phone: '+260775550119', line1: 'Plot 7', city: 'Lusaka', country: 'ZM' },
    'address { id }',
    { as },
  );
  expect(await ask(as)).toEqual({ accepted: true, userErrors: [] });

  expect(await remove(as, await app.mailedToken(email))).toEqual({ deletedId: user._id, userErrors: [] });

  expect((await app.login(email)).userErrors[0].code).toBe('INVALID_CREDENTIALS');
  expect((await app.refresh(refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
  expect(await app.isAnnounced(sessionId)).toBe(true);
  expect((await app.said('User.Deleted')).map(({ data }) => data)).toEqual([{ userId: user._id, timestamp: expect.any(String) }]);
  expect((await app.mails(email)).map(({ subject }) => subject)).toEqual(['Your account is deleted']);
  await app.ctx().models.KeptMail.deleteMany({});
  const { db } = app.runtime();
  for (const name of ['users', 'sessions', 'refreshtokens', 'tokens', 'keptmails']) {
    expect([name, JSON.stringify(await db.collection(name).find({}).toArray())]).toEqual([
      name,
      expect.not.stringMatching(new RegExp(`Sitali|10\\.7\\.7\\.7|260775550119|${email}`)),
    ]);
  }
});

test('what others ask of it finds nothing any more', async () => {
  const { as, email } = await app.person();
  await ask(as);
  await remove(as, await app.mailedToken(email));

  expect((await app.ask('{ me { id } }', {}, { as })).data.me).toBeNull();
  expect((await app.entities([{ __typename: 'User', id: as.id }], '... on User { id displayName }')).data._entities).toEqual([null]);
  expect(await app.call(findAccounts, { ids: [as.id] })).toEqual({ accounts: [] });
  expect(await app.refusal('updateProfile', { name: 'x' }, 'user { id }', { as })).toBe('UNAUTHENTICATED');
});

test('the address is free again', async () => {
  const { as, email } = await app.person();
  await ask(as);
  await remove(as, await app.mailedToken(email));

  await app.run('register', { email, password: PASSWORD, name: 'Somebody New' }, 'accepted', { as: null });

  expect((await app.login(email)).user.id).not.toBe(as.id);
});

test('nothing is deleted without the password, without the token, or by somebody else', async () => {
  const [owner, thief] = [await app.person(), await app.person()];
  for (const password of ['wrong', null]) {
    expect((await ask(owner.as, password)).userErrors).toEqual([
      { code: 'WRONG_PASSWORD', path: ['input', 'password'], message: expect.any(String) },
    ]);
  }
  await ask(owner.as);
  const token = await app.mailedToken(owner.email);

  for (const wrong of ['', 'A'.repeat(43), 'A'.repeat(10_000), `${token}A`])
    expect((await remove(owner.as, wrong)).userErrors[0].path).toEqual(['input', 'token']);
  expect((await remove(thief.as, token)).userErrors).toEqual(badToken);
  expect(await app.refusal('deleteAccount', { token }, 'deletedId', { as: null })).toBe('UNAUTHENTICATED');

  expect(await app.ctx().models.User.countDocuments({ _id: { $in: [owner.as.id, thief.as.id] } })).toBe(2);
  expect((await remove(owner.as, token)).deletedId).toBe(owner.as.id);
});

test('the token is good for an hour', async () => {
  const { as, email } = await app.person();
  await ask(as);
  const token = await app.mailedToken(email);
  app.clock.advance(3_601_000);

  expect((await remove(as, token)).userErrors).toEqual(badToken);
});

test('goes once when asked five times at the same time', async () => {
  const { as, email } = await app.person();
  await ask(as);
  const token = await app.mailedToken(email);

  const answers = await Promise.allSettled(Array.from({ length: 5 }, () => remove(as, token)));

  expect(answers.filter((answer) => answer.status === 'fulfilled' && answer.value.deletedId)).toHaveLength(1);
  expect((await app.said('User.Deleted')).filter(({ data }) => data.userId === as.id)).toHaveLength(1);
});

test('who owns a store stays until it is handed over', async () => {
  const { as, email } = await app.person();
  await ask(as);
  const token = await app.mailedToken(email);
  owners.add(as.id);

  expect((await ask(as)).userErrors[0]).toMatchObject({ code: 'OWNS_VENDOR', message: expect.stringContaining('closeVendor') });
  expect((await remove(as, token)).userErrors[0].code).toBe('OWNS_VENDOR');

  owners.delete(as.id);
  expect((await remove(as, token)).deletedId).toBe(as.id);
});

test('who owns a store that was closed may go', async () => {
  const { as, email } = await app.person();
  owners.add(as.id);
  closed.add(as.id);
  await ask(as);

  expect((await remove(as, await app.mailedToken(email))).deletedId).toBe(as.id);
});

test('the last admin stays', async () => {
  const { as, email } = await app.person({ roles: ['admin'] });
  await ask(as);
  const token = await app.mailedToken(email);

  expect((await remove(as, token)).userErrors).toEqual([{ code: 'LAST_ADMIN', path: ['input'], message: expect.any(String) }]);

  await app.person({ roles: ['admin'] });
  expect((await remove(as, token)).deletedId).toBe(as.id);
});
