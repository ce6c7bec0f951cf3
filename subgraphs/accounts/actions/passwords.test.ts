import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { codeOf, newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';
import { tokenIn } from './mail.ts';

const HOUR_MS = 3_600_000;
const NEW_PASSWORD = 'a much better password';

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

const forgot = (email: string) => app.run('forgotPassword', { email }, 'accepted', { as: null });
const reset = (token: string, newPassword = NEW_PASSWORD, as: object | null = null) =>
  app.run('resetPassword', { token, newPassword }, 'reset', { as: as as never });
const tokenFor = async (email: string) => {
  await forgot(email);
  return app.mailedToken(email);
};
const opens = async (email: string, password: string) => (await app.login(email, password)).session !== null;
const badToken = [{ code: 'INVALID_TOKEN', path: ['input', 'token'], message: expect.any(String) }];

describe('forgotPassword', () => {
  test('answers an unknown address the same, and writes to nobody', async () => {
    const email = newEmail();

    expect(await forgot(email)).toEqual({ accepted: true, userErrors: [] });

    expect(await app.mails(email)).toEqual([]);
  });

  test('writes five times an hour at most, and does not say so', async () => {
    const { email } = await app.person();

    for (let count = 0; count < 7; count += 1) expect(await forgot(email)).toEqual({ accepted: true, userErrors: [] });

    expect(await app.mails(email)).toHaveLength(5);
  });

  test('writes to its owner whatever other mails strangers asked for to the address', async () => {
    const { email } = await app.person();
    const asked = { as: null };
    for (let count = 0; count < 6; count += 1) {
      await app.run('requestEmailVerification', { email }, 'accepted', asked);
      await app.run('register', { email, password: PASSWORD, name: 'Mallory' }, 'accepted', asked);
    }
    const before = (await app.mails(email)).length;

    await forgot(email);

    expect((await app.mails(email)).slice(before).map(({ subject }) => subject)).toEqual(['Choose a new password']);
  });

  test('writes to its owner when a stranger asked for as many as it may', async () => {
    const { email } = await app.person();
    const from = (ip: string) => ({ as: null, client: { ip, userAgent: 'a browser' } });
    for (let count = 0; count < 6; count += 1) await app.run('forgotPassword', { email }, 'accepted', from('203.0.113.66'));
    expect(await app.mails(email)).toHaveLength(3);

    await app.run('forgotPassword', { email }, 'accepted', from('198.51.100.7'));

    expect(await app.mails(email)).toHaveLength(4);
  });

  test('writes nothing to a closed account', async () => {
    const { email, user } = await app.person();
    await app.ctx().models.User.updateOne({ _id: user._id }, { isActive: false });

    await forgot(email);

    expect(await app.mails(email)).toEqual([]);
  });

  test('writes once when its event is delivered twice', async () => {
    const { email } = await app.person();
    await forgot(email);
    await app.settled();
    const [envelope] = (await app.said('Account.MailAsked')).filter(({ data }) => data.email === email);

    await app
      .runtime()
      .consumers.find(({ queue }) => queue === 'accounts')!
      .deliver({ envelope: envelope!, from: 'accounts' }, 1);

    expect(await app.mails(email)).toHaveLength(1);
  });

  test('refuses what is no address', async () => {
    expect((await forgot('nobody')).userErrors).toEqual([{ code: 'INVALID', path: ['input', 'email'], message: expect.any(String) }]);
  });
});

describe('resetPassword', () => {
  test('sets the password, ends every session, tells the owner and is good once', async () => {
    const { email, user } = await app.person();
    const { refreshToken, sessionId } = await app.signIn(email);
    const token = await tokenFor(email);

    expect(await reset(token)).toEqual({ reset: true, userErrors: [] });

    expect([await opens(email, PASSWORD), await opens(email, NEW_PASSWORD)]).toEqual([false, true]);
    expect((await app.refresh(refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
    expect(await app.isAnnounced(sessionId)).toBe(true);
    expect((await app.mails(email)).at(-1)!.subject).toBe('Your password was changed');
    expect((await app.said('User.ProfileUpdated')).filter(({ data }) => data.userId === user._id)).toMatchObject([
      { data: { changes: ['password'] } },
    ]);
    expect((await reset(token, 'yet another password')).userErrors).toEqual(badToken);
  });

  test('works once when ten use the same token at the same time', async () => {
    const { email } = await app.person();
    const token = await tokenFor(email);

    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => reset(token, `good password no ${index}`)));

    expect(answers.filter(({ reset: done }) => done)).toHaveLength(1);
    const winner = answers.findIndex(({ reset: done }) => done);
    expect(await opens(email, `good password no ${winner}`)).toBe(true);
  });

  test('refuses a token after an hour', async () => {
    const { email } = await app.person();
    const token = await tokenFor(email);
    app.clock.advance(HOUR_MS + 1_000);

    expect((await reset(token)).userErrors).toEqual(badToken);
    expect(await opens(email, PASSWORD)).toBe(true);
  });

  test('refuses the older token when a newer one was asked for', async () => {
    const { email } = await app.person();
    const first = await tokenFor(email);
    const second = await tokenFor(email);

    expect((await reset(first)).userErrors).toEqual(badToken);
    expect((await reset(second)).reset).toBe(true);
  });

  test('refuses another user’s token to who is signed in, and does not use it up', async () => {
    const { email } = await app.person();
    const other = await app.person();
    const token = await tokenFor(email);

    expect((await reset(token, NEW_PASSWORD, other.as)).userErrors).toEqual(badToken);

    expect(await opens(other.email, PASSWORD)).toBe(true);
    expect((await reset(token)).reset).toBe(true);
  });

  test('keeps the token when the new password is refused', async () => {
    const { email } = await app.person();
    const token = await tokenFor(email);

    const weak = await reset(token, email);
    const short = await reset(token, 'short');

    expect(weak.userErrors).toEqual([{ code: 'WEAK_PASSWORD', path: ['input', 'newPassword'], message: expect.any(String) }]);
    expect(short.userErrors).toEqual([{ code: 'INVALID', path: ['input', 'newPassword'], message: expect.any(String) }]);
    expect((await reset(token)).reset).toBe(true);
  });

  test('confirms the address, and shuts out who made the account before', async () => {
    const email = newEmail();
    await app.run('register', { email, password: PASSWORD, name: 'Mallory' }, 'accepted', { as: null });
    const mallory = await app.signIn(email);
    const house = { recipient: 'Mallory', phone: '+260977123456', line1: 'Plot 1', city: 'Lusaka', country: 'ZM' };
    await app.run('createAddress', house, 'address { id }', { as: mallory.as });
    const { secret } = await app.run('setUpMfa', { password: PASSWORD }, 'secret', { as: mallory.as });
    await app.run('confirmMfa', { code: codeOf(secret, app.clock.now()) }, 'recoveryCodes', { as: mallory.as });

    expect((await reset(await tokenFor(email))).reset).toBe(true);

    expect(await opens(email, NEW_PASSWORD)).toBe(true);
    const { data } = await app.ask(
      '{ me { verified mfaEnabled recoveryCodesLeft addresses { id } defaultAddress { id } } }',
      {},
      { as: mallory.as },
    );
    expect(data.me).toEqual({ verified: true, mfaEnabled: false, recoveryCodesLeft: 0, addresses: [], defaultAddress: null });
    expect((await app.refresh(mallory.refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
  });

  test('leaves the second step on where the address was confirmed long ago', async () => {
    const { email, as } = await app.person();
    const { secret } = await app.run('setUpMfa', { password: PASSWORD }, 'secret', { as });
    await app.run('confirmMfa', { code: codeOf(secret, app.clock.now()) }, 'recoveryCodes', { as });

    await reset(await tokenFor(email));

    expect((await app.login(email, NEW_PASSWORD)).mfaChallenge).not.toBeNull();
  });
});

describe('changePassword', () => {
  const change = (as: object, currentPassword = PASSWORD, newPassword = NEW_PASSWORD) =>
    app.run('changePassword', { currentPassword, newPassword }, 'user { id }', { as: as as never });

  test('sets the password and ends every session but this one', async () => {
    const { email } = await app.person();
    const other = await app.signIn(email);
    const own = await app.signIn(email);

    expect(await change(own.as)).toEqual({ user: { id: own.as.id }, userErrors: [] });

    expect([await opens(email, PASSWORD), await opens(email, NEW_PASSWORD)]).toEqual([false, true]);
    expect((await app.refresh(other.refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
    expect((await app.refresh(own.refreshToken)).session.id).toBe(own.sessionId);
    expect((await app.mails(email)).at(-1)!.subject).toBe('Your password was changed');
  });

  test('voids links to reset it that lie in the mailbox', async () => {
    const { email, as } = await app.person();
    const token = await tokenFor(email);

    await change(as);

    expect((await reset(token)).userErrors).toEqual(badToken);
  });

  test.each([
    ['a wrong password', 'not the password', NEW_PASSWORD, 'WRONG_PASSWORD', 'currentPassword'],
    ['a short new one', PASSWORD, 'short', 'INVALID', 'newPassword'],
    ['a common new one', PASSWORD, 'password123', 'WEAK_PASSWORD', 'newPassword'],
    ['10,000 characters', PASSWORD, 'x1Y'.repeat(3_334), 'INVALID', 'newPassword'],
  ])('refuses %s', async (_case, current, wanted, code, field) => {
    const { as, email } = await app.person();

    expect((await change(as, current, wanted)).userErrors).toEqual([{ code, path: ['input', field], message: expect.any(String) }]);
    expect(await opens(email, PASSWORD)).toBe(true);
  });

  test('counts wrong passwords with those of sign-ins', async () => {
    const { email, as } = await app.person();
    for (let count = 0; count < 5; count += 1) await app.login(email, 'wrong');
    for (let count = 0; count < 5; count += 1) await change(as, 'wrong');

    expect(await app.refusal('changePassword', { currentPassword: PASSWORD, newPassword: NEW_PASSWORD }, 'user { id }', { as })).toBe(
      'RATE_LIMITED',
    );
    await expect(app.login(email)).rejects.toThrow('RATE_LIMITED');
  });

  test('refuses an account without a password', async () => {
    const { as } = await app.person();
    await app.ctx().models.User.updateOne({ _id: as.id }, { passwordHash: null });

    expect((await change(as)).userErrors[0].code).toBe('NO_PASSWORD');
  });

  test('leaves no session of the old password behind, whoever signs in meanwhile', async () => {
    for (let round = 0; round < 4; round += 1) {
      const { email, as, user } = await app.person();

      const [, ...answers] = await Promise.all([change(as), ...Array.from({ length: 4 }, () => app.login(email))]);

      expect(await app.ctx().models.Session.countDocuments({ userId: user._id, revokedAt: null })).toBe(0);
      for (const { refreshToken } of answers.filter(({ session }) => session)) {
        expect((await app.refresh(refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
      }
    }
  });
});

test('a link of one kind opens nothing of another kind', async () => {
  const { email, as } = await app.person();
  await app.run('register', { email, password: PASSWORD, name: 'x' }, 'accepted', { as: null });
  const resetToken = await app.mailedToken(email);
  const fresh = newEmail();
  await app.run('register', { email: fresh, password: PASSWORD, name: 'x' }, 'accepted', { as: null });
  const verifyToken = await app.mailedToken(fresh);
  await app.run('requestEmailChange', { newEmail: newEmail(), password: PASSWORD }, 'accepted', { as });
  await app.run('requestAccountDeletion', { password: PASSWORD }, 'accepted', { as }).catch(() => undefined);
  const deletion = (await app.mails(email)).map(tokenIn).filter(Boolean).at(-1)!;

  const tries: [mutation: string, input: object, field: string, as: object | null][] = [
    ['verifyEmail', { token: resetToken }, 'verified', null],
    ['verifyEmail', { token: deletion }, 'verified', as],
    ['resetPassword', { token: verifyToken, newPassword: NEW_PASSWORD }, 'reset', null],
    ['confirmEmailChange', { token: resetToken }, 'user { id }', as],
    ['confirmEmailChange', { token: verifyToken }, 'user { id }', as],
    ['deleteAccount', { token: resetToken }, 'deletedId', as],
    ['deleteAccount', { token: verifyToken }, 'deletedId', as],
    ['loginWithMfa', { challengeToken: resetToken, code: '123456' }, 'accessToken', null],
  ];
  for (const [mutation, input, field, who] of tries) {
    const { userErrors } = await app.run(mutation, input, field, { as: who as never });
    expect([mutation, userErrors[0]?.code]).toEqual([mutation, 'INVALID_TOKEN']);
  }
  expect((await app.refresh(resetToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
  expect(await opens(email, PASSWORD)).toBe(true);
});
