import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import { newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

const ask = (as: Viewer, email: string, password: string | null = PASSWORD) =>
  app.run('requestEmailChange', { newEmail: email, password }, 'accepted', { as });
const confirm = (as: Viewer, token: string) => app.run('confirmEmailChange', { token }, 'user { email verified }', { as });
const subjects = async (email: string) => (await app.mails(email)).map(({ subject }) => subject);
const emailOf = async (id: string) => (await app.ctx().models.User.findById(id).lean())!.email;
const badToken = [{ code: 'INVALID_TOKEN', path: ['input', 'token'], message: expect.any(String) }];

test('an address is changed in two steps, confirmed at the new one, told to the old one', async () => {
  const { as, email } = await app.person();
  const next = newEmail();

  expect(await ask(as, next.toUpperCase())).toEqual({ accepted: true, userErrors: [] });
  expect(await emailOf(as.id)).toBe(email);
  expect(await subjects(email)).toEqual(['A new e-mail address was asked for']);
  expect(await confirm(as, await app.mailedToken(next))).toEqual({ user: { email: next, verified: true }, userErrors: [] });

  expect(await subjects(email)).toEqual(['A new e-mail address was asked for', 'Your e-mail address was changed']);
  expect((await app.login(email)).userErrors[0].code).toBe('INVALID_CREDENTIALS');
  expect((await app.login(next)).user).toEqual({ id: as.id, email: next });
  expect((await app.said('User.ProfileUpdated')).filter(({ data }) => data.userId === as.id)).toMatchObject([
    { data: { changes: ['email'] } },
  ]);
});

test('the token is bound to who asked: nobody else can use it, or use it up', async () => {
  const [owner, thief] = [await app.person(), await app.person()];
  const next = newEmail();
  await ask(owner.as, next);
  const token = await app.mailedToken(next);

  expect((await confirm(thief.as, token)).userErrors).toEqual(badToken);
  expect(await app.refusal('confirmEmailChange', { token }, 'user { id }', { as: null })).toBe('UNAUTHENTICATED');

  expect([await emailOf(owner.as.id), await emailOf(thief.as.id)]).toEqual([owner.email, thief.email]);
  expect((await confirm(owner.as, token)).user.email).toBe(next);
});

test('the token is good once and for an hour, and ends when another is asked for', async () => {
  const { as, email } = await app.person();
  const [first, second, third] = [newEmail(), newEmail(), newEmail()];
  await ask(as, first);
  const old = await app.mailedToken(first);
  await ask(as, second);
  expect((await confirm(as, old)).userErrors).toEqual(badToken);

  const token = await app.mailedToken(second);
  app.clock.advance(3_601_000);
  expect((await confirm(as, token)).userErrors).toEqual(badToken);
  expect(await emailOf(as.id)).toBe(email);

  await ask(as, third);
  const good = await app.mailedToken(third);
  expect((await confirm(as, good)).user.email).toBe(third);
  expect((await confirm(as, good)).userErrors).toEqual(badToken);
});

test('links that lie in the old mailbox end with it', async () => {
  const { as, email } = await app.person();
  await app.run('forgotPassword', { email }, 'accepted', { as: null });
  const old = await app.mailedToken(email);
  const next = newEmail();
  await ask(as, next);
  await confirm(as, await app.mailedToken(next));

  expect((await app.run('resetPassword', { token: old, newPassword: 'another good password' }, 'reset')).userErrors).toEqual(badToken);
});

test('an address that somebody has is answered like any other; its owner is told, and it cannot be taken', async () => {
  const { as } = await app.person();
  const owner = await app.person();

  expect(await ask(as, owner.email)).toEqual({ accepted: true, userErrors: [] });

  expect(await subjects(owner.email)).toEqual(['You have an account already']);
  await expect(app.mailedToken(owner.email)).rejects.toThrow('no token');
});

test('an address that was taken meanwhile is refused at the second step', async () => {
  const { as, email } = await app.person();
  const next = newEmail();
  await ask(as, next);
  const token = await app.mailedToken(next);
  await app.person({ email: next });

  expect((await confirm(as, token)).userErrors).toEqual([{ code: 'EMAIL_TAKEN', path: ['input', 'token'], message: expect.any(String) }]);
  expect(await emailOf(as.id)).toBe(email);
});

test('one of two who confirm the same address at the same time gets it', async () => {
  const [one, other] = [await app.person(), await app.person()];
  const next = newEmail();
  await ask(one.as, next);
  const first = await app.mailedToken(next);
  await ask(other.as, next);
  const second = await app.mailedToken(next);

  const answers = await Promise.all([confirm(one.as, first), confirm(other.as, second)]);

  expect(answers.filter(({ user }) => user)).toHaveLength(1);
  expect(answers.flatMap(({ userErrors }) => userErrors.map(({ code }: { code: string }) => code))).toEqual(['EMAIL_TAKEN']);
});

describe('asking is refused', () => {
  test.each([
    ['with a wrong password', { password: 'wrong' }, 'WRONG_PASSWORD', 'password'],
    ['without the password', { password: null }, 'WRONG_PASSWORD', 'password'],
    ['for what is no address', { newEmail: 'nobody' }, 'INVALID', 'newEmail'],
    ['for an address with a Greek letter', { newEmail: 'αdmin@soko.example' }, 'INVALID', 'newEmail'],
    ['for two addresses in two lines', { newEmail: 'a@soko.example\nBcc: b@soko.example' }, 'INVALID', 'newEmail'],
  ])('%s', async (_case, wrong, code, field) => {
    const { as } = await app.person();

    const { userErrors } = await app.run('requestEmailChange', { newEmail: newEmail(), password: PASSWORD, ...wrong }, 'accepted', { as });

    expect(userErrors).toEqual([{ code, path: ['input', field], message: expect.any(String) }]);
  });

  test('for the address it is already', async () => {
    const { as, email } = await app.person();

    expect((await ask(as, email.toUpperCase())).userErrors).toEqual([
      { code: 'INVALID', path: ['input', 'newEmail'], message: expect.any(String) },
    ]);
  });
});
