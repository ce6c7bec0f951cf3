import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TOTP, URI } from 'otpauth';
import type { Viewer } from '#shared/base/identity.ts';
import { decryptField } from '#shared/store/encrypted.ts';
import { hashPassword } from '../passwords.ts';
import { codeOf, newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';

const STEP_MS = 30_000;

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

const wrongCode = [{ code: 'WRONG_CODE', path: ['input', 'code'], message: expect.any(String) }];
const show = (secret: string) => codeOf(secret, app.clock.now());
const anotherCode = (secret: string) => String((Number(show(secret)) + 1) % 1_000_000).padStart(6, '0');
const setUp = (as: Viewer, password: string | null = PASSWORD) => app.run('setUpMfa', { password }, 'secret otpauthUri', { as });
const challengeOf = async (email: string): Promise<string> => (await app.login(email)).mfaChallenge.token;

/** A person with the second step on, at the next time step: the one it was turned on with is used up. */
async function careful() {
  const person = await app.person();
  const { secret } = await setUp(person.as);
  const { recoveryCodes } = await app.run('confirmMfa', { code: show(secret) }, 'recoveryCodes', { as: person.as });
  app.clock.advance(STEP_MS);
  return { ...person, secret: secret as string, recoveryCodes: recoveryCodes as string[] };
}

describe('setting up', () => {
  test('hands out a secret that an authenticator reads, and asks for nothing yet', async () => {
    const { as, email } = await app.person();

    const { secret, otpauthUri } = await setUp(as);

    const read = URI.parse(otpauthUri) as TOTP;
    expect(read).toMatchObject({ issuer: 'Soko', label: email, algorithm: 'SHA1', digits: 6, period: 30 });
    expect(read.secret.base32).toBe(secret);
    expect((await app.login(email)).session).not.toBeNull();
  });

  test('keeps the secret sealed', async () => {
    const { secret, as } = await careful();

    const user = await app.ctx().models.User.findById(as.id).lean();

    expect(JSON.stringify(user)).not.toContain(secret);
    expect(decryptField(app.ctx().models.User, 'mfa.secret', user!.mfa.secret!)).toBe(secret);
  });

  test('asks for the password, and where there is none for a sign-in of these minutes', async () => {
    const { email, as } = await app.person();

    for (const password of ['not the password', '', null]) {
      expect((await setUp(as, password)).userErrors).toEqual([
        { code: 'WRONG_PASSWORD', path: ['input', 'password'], message: expect.any(String) },
      ]);
    }
    await app.ctx().models.User.updateOne({ _id: as.id }, { passwordHash: null });
    const again = [{ code: 'SIGN_IN_AGAIN', path: ['input'], message: expect.any(String) }];
    // No session of its own, one that is old, and one that was ended.
    expect((await setUp(as, null)).userErrors).toEqual(again);
    await app.ctx().models.User.updateOne({ _id: as.id }, { passwordHash: await hashPassword(PASSWORD) });
    const signedIn = await app.signIn(email);
    const ended = await app.signIn(email);
    await app.run('revokeSession', { id: ended.sessionId }, 'revokedId', { as });
    await app.ctx().models.User.updateOne({ _id: as.id }, { passwordHash: null });
    expect((await setUp(ended.as, null)).userErrors).toEqual(again);
    expect((await setUp(signedIn.as, null)).secret).toEqual(expect.any(String));
    app.clock.advance(10 * 60_000);
    expect((await setUp(signedIn.as, null)).userErrors).toEqual(again);
    const change = await app.run('requestEmailChange', { newEmail: newEmail() }, 'accepted', { as: signedIn.as });
    expect(change.userErrors).toEqual(again);
  });

  test('is confirmed by a code, shows ten recovery codes and tells the owner', async () => {
    const { as, email } = await app.person();
    const { secret } = await setUp(as);

    const { user, recoveryCodes } = await app.run(
      'confirmMfa',
      { code: show(secret) },
      'user { mfaEnabled recoveryCodesLeft } recoveryCodes',
      { as },
    );

    expect(user).toEqual({ mfaEnabled: true, recoveryCodesLeft: 10 });
    expect(new Set(recoveryCodes).size).toBe(10);
    for (const code of recoveryCodes) expect(code).toMatch(/^([A-Z2-9]{4}-){3}[A-Z2-9]{4}$/);
    expect((await app.mails(email)).at(-1)!.subject).toBe('The second step is on');
  });

  test('is not confirmed by a wrong code, nor before it began, nor twice', async () => {
    const { as } = await app.person();
    expect((await app.run('confirmMfa', { code: '123456' }, 'recoveryCodes', { as })).userErrors[0].code).toBe('MFA_NOT_ENABLED');

    const { secret } = await setUp(as);
    expect((await app.run('confirmMfa', { code: anotherCode(secret) }, 'recoveryCodes', { as })).userErrors).toEqual(wrongCode);
    await app.run('confirmMfa', { code: show(secret) }, 'recoveryCodes', { as });

    expect((await app.run('confirmMfa', { code: show(secret) }, 'recoveryCodes', { as })).userErrors[0].code).toBe('MFA_ALREADY_ENABLED');
    expect((await setUp(as)).userErrors[0].code).toBe('MFA_ALREADY_ENABLED');
  });
});

describe('signing in', () => {
  test('takes two steps: no token before the code', async () => {
    const { email, secret, as } = await careful();

    const first = await app.login(email, PASSWORD, { rememberMe: false });
    expect(first).toMatchObject({
      accessToken: null,
      refreshToken: null,
      session: null,
      user: null,
      mfaChallenge: { token: expect.any(String) },
      userErrors: [],
    });

    const second = await app.loginWithMfa(first.mfaChallenge.token, show(secret), { client: { ip: '10.0.0.9' } });
    expect(second).toMatchObject({
      accessToken: expect.any(String),
      user: { id: as.id, email },
      session: { device: { ip: '10.0.0.9' } },
      userErrors: [],
    });
    expect(new Date(second.refreshTokenExpiresAt).getTime() - app.clock.now().getTime()).toBeLessThanOrEqual(24 * 3_600_000);
  });

  test('takes a code once: neither the same nor an older one opens again', async () => {
    const { email, secret } = await careful();
    const older = show(secret);
    app.clock.advance(STEP_MS);
    const code = show(secret);
    expect((await app.loginWithMfa(await challengeOf(email), code)).session).not.toBeNull();

    for (const used of [code, older]) expect((await app.loginWithMfa(await challengeOf(email), used)).userErrors).toEqual(wrongCode);

    app.clock.advance(STEP_MS);
    expect((await app.loginWithMfa(await challengeOf(email), show(secret))).session).not.toBeNull();
  });

  test('does not take the code that turned the second step on', async () => {
    const { as, email } = await app.person();
    const { secret } = await setUp(as);
    const code = show(secret);
    await app.run('confirmMfa', { code }, 'recoveryCodes', { as });

    expect((await app.loginWithMfa(await challengeOf(email), code)).userErrors).toEqual(wrongCode);
  });

  test('opens one session when the same code comes five times at once', async () => {
    for (let round = 0; round < 3; round += 1) {
      const { email, secret, user } = await careful();
      const challenges = await Promise.all(Array.from({ length: 5 }, () => challengeOf(email)));

      const answers = await Promise.all(challenges.map((challenge) => app.loginWithMfa(challenge, show(secret))));

      expect(answers.filter(({ session }) => session)).toHaveLength(1);
      expect(await app.ctx().models.Session.countDocuments({ userId: user._id })).toBe(1);
    }
  });

  test('takes a clock that is one step off, not two', async () => {
    const { email, secret } = await careful();
    const late = show(secret);
    app.clock.advance(STEP_MS);
    expect((await app.loginWithMfa(await challengeOf(email), late)).session).not.toBeNull();

    app.clock.advance(10 * STEP_MS);
    const tooLate = show(secret);
    app.clock.advance(2 * STEP_MS);
    expect((await app.loginWithMfa(await challengeOf(email), tooLate)).userErrors).toEqual(wrongCode);
  });

  test('takes each recovery code once, however it is typed', async () => {
    const { email, recoveryCodes, as } = await careful();
    const [first, second] = recoveryCodes as [string, string];

    expect((await app.loginWithMfa(await challengeOf(email), ` ${first.toLowerCase().replaceAll('-', ' ')} `)).session).not.toBeNull();
    expect((await app.loginWithMfa(await challengeOf(email), first)).userErrors).toEqual(wrongCode);
    expect((await app.loginWithMfa(await challengeOf(email), second)).session).not.toBeNull();

    const { data } = await app.ask('{ me { recoveryCodesLeft } }', {}, { as });
    expect(data.me.recoveryCodesLeft).toBe(8);
  });

  test('keeps recovery codes as hashes', async () => {
    const { as, recoveryCodes } = await careful();

    const row = JSON.stringify(await app.ctx().models.User.findById(as.id).lean());

    for (const code of recoveryCodes) {
      expect(row).not.toContain(code);
      expect(row).not.toContain(code.replaceAll('-', ''));
    }
  });

  test('uses a challenge up, and lets it go after five minutes', async () => {
    const { email, secret, recoveryCodes } = await careful();
    const challenge = await challengeOf(email);
    await app.loginWithMfa(challenge, show(secret));
    expect((await app.loginWithMfa(challenge, recoveryCodes[0]!)).userErrors[0]).toMatchObject({
      code: 'INVALID_TOKEN',
      path: ['input', 'challengeToken'],
    });

    const late = await challengeOf(email);
    app.clock.advance(5 * 60_000 + 1_000);
    expect((await app.loginWithMfa(late, show(secret))).userErrors[0].code).toBe('INVALID_TOKEN');
    expect((await app.loginWithMfa(await challengeOf(email), recoveryCodes[0]!)).session).not.toBeNull();
  });

  test('keeps a challenge after a wrong code', async () => {
    const { email, secret } = await careful();
    const challenge = await challengeOf(email);

    expect((await app.loginWithMfa(challenge, anotherCode(secret))).userErrors).toEqual(wrongCode);
    expect((await app.loginWithMfa(challenge, show(secret))).session).not.toBeNull();
  });

  test('does not take one user’s code for another’s challenge', async () => {
    const [one, other] = [await careful(), await careful()];

    expect((await app.loginWithMfa(await challengeOf(one.email), show(other.secret))).userErrors).toEqual(wrongCode);
    expect((await app.loginWithMfa(await challengeOf(one.email), other.recoveryCodes[0]!)).userErrors).toEqual(wrongCode);
  });

  test('counts wrong codes with wrong passwords; knowing the password wipes nothing out', async () => {
    const { email, secret } = await careful();
    for (let count = 0; count < 4; count += 1) await app.login(email, 'wrong');
    for (let count = 0; count < 6; count += 1) await app.loginWithMfa(await challengeOf(email), anotherCode(secret));

    await expect(app.login(email)).rejects.toThrow('RATE_LIMITED');
  });

  test('refuses the right code after ten wrong ones at once', async () => {
    const { email, secret } = await careful();
    const challenges = await Promise.all(Array.from({ length: 2 }, () => challengeOf(email)));
    const guesses = Array.from({ length: 14 }, (_, index) => String(index).padStart(6, '0')).filter((guess) => guess !== show(secret));

    await Promise.allSettled(guesses.map((guess) => app.loginWithMfa(challenges[0]!, guess)));

    await expect(app.loginWithMfa(challenges[1]!, show(secret))).rejects.toThrow('RATE_LIMITED');
  });

  test.each([
    ['nothing', ''],
    ['five digits', '12345'],
    ['seven digits', '1234567'],
    ['letters', 'abcdef'],
    ['digits of another script', '１２３４５６'],
    ['a NUL', '12345\0'],
    ['10,000 characters', '1'.repeat(10_000)],
  ])('refuses %s for a code', async (_case, code) => {
    const { email } = await careful();

    const { userErrors, session } = await app.loginWithMfa(await challengeOf(email), code);

    expect({ session, userErrors }).toEqual({
      session: null,
      userErrors: [{ code: expect.stringMatching(/^(WRONG_CODE|INVALID)$/), path: ['input', 'code'], message: expect.any(String) }],
    });
  });

  test.each([
    ['nothing', ''],
    ['a guess', 'A'.repeat(43)],
    ['10,000 characters', 'A'.repeat(10_000)],
  ])('refuses %s for a challenge', async (_case, token) => {
    const { userErrors } = await app.loginWithMfa(token, '123456');
    expect(userErrors).toEqual([
      { code: expect.stringMatching(/^INVALID/), path: ['input', 'challengeToken'], message: expect.any(String) },
    ]);
  });
});

describe('turning it off', () => {
  test('takes a code, and tells the owner', async () => {
    const { as, email, secret } = await careful();

    expect((await app.run('disableMfa', { code: anotherCode(secret) }, 'user { id }', { as })).userErrors).toEqual(wrongCode);
    expect(await app.run('disableMfa', { code: show(secret) }, 'user { mfaEnabled recoveryCodesLeft }', { as })).toEqual({
      user: { mfaEnabled: false, recoveryCodesLeft: 0 },
      userErrors: [],
    });

    expect((await app.login(email)).session).not.toBeNull();
    expect((await app.mails(email)).at(-1)!.subject).toBe('The second step is off');
    expect((await app.run('disableMfa', { code: show(secret) }, 'user { id }', { as })).userErrors[0].code).toBe('MFA_NOT_ENABLED');
  });

  test('voids challenges that are open', async () => {
    const { as, email, secret, recoveryCodes } = await careful();
    const challenge = await challengeOf(email);
    await app.run('disableMfa', { code: recoveryCodes[0]! }, 'user { id }', { as });

    expect((await app.loginWithMfa(challenge, show(secret))).session).toBeNull();
  });
});

describe('renewRecoveryCodes', () => {
  test('makes ten new ones and voids the old ones', async () => {
    const { as, email, secret, recoveryCodes: old } = await careful();

    const { recoveryCodes } = await app.run('renewRecoveryCodes', { code: show(secret) }, 'recoveryCodes', { as });

    expect(new Set([...recoveryCodes, ...old]).size).toBe(20);
    expect((await app.loginWithMfa(await challengeOf(email), old[0]!)).userErrors).toEqual(wrongCode);
    expect((await app.loginWithMfa(await challengeOf(email), recoveryCodes[0])).session).not.toBeNull();
  });

  test('refuses a wrong code, and where the second step is off', async () => {
    const { as, secret } = await careful();
    expect((await app.run('renewRecoveryCodes', { code: anotherCode(secret) }, 'recoveryCodes', { as })).userErrors).toEqual(wrongCode);

    const plain = await app.person();
    expect((await app.run('renewRecoveryCodes', { code: '123456' }, 'recoveryCodes', { as: plain.as })).userErrors[0].code).toBe(
      'MFA_NOT_ENABLED',
    );
  });
});
