import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hash as bcryptHash } from '@node-rs/bcrypt';
import { newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

const refused = {
  accessToken: null,
  session: null,
  user: null,
  mfaChallenge: null,
  userErrors: [{ code: 'INVALID_CREDENTIALS', path: ['input'], message: expect.any(String) }],
};
const hashOf = async (email: string) => (await app.ctx().models.User.findOne({ email }).lean())!.passwordHash!;
const codeOf = (attempt: Promise<{ userErrors: { code: string }[] }>): Promise<string | undefined> =>
  attempt.then(
    ({ userErrors }) => userErrors[0]?.code,
    (error: Error) => error.message,
  );

describe('login', () => {
  test('opens a session for seven days', async () => {
    const { email, user } = await app.person();

    const answer = await app.login(email.toUpperCase(), PASSWORD, { client: { ip: '10.0.0.7', userAgent: 'curl/8.5.0' } });

    expect(answer).toEqual({
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      accessTokenExpiresAt: expect.any(String),
      refreshToken: expect.stringMatching(/^[\w-]{43}$/),
      refreshTokenExpiresAt: expect.any(String),
      session: {
        id: expect.stringMatching(/^ses_/),
        isCurrent: true,
        expiresAt: answer.refreshTokenExpiresAt,
        device: { name: 'curl', ip: '10.0.0.7' },
        user: { email },
      },
      user: { id: user._id, email },
      mfaChallenge: null,
      userErrors: [],
    });
    expect(new Date(answer.refreshTokenExpiresAt).getTime()).toBeGreaterThan(app.clock.now().getTime() + 6.9 * 24 * 3_600_000);
  });

  test('refuses a wrong password and an unknown address in the same words', async () => {
    const { email } = await app.person();

    const wrong = await app.login(email, 'not the password');
    const unknown = await app.login(newEmail(), 'not the password');

    expect(wrong).toMatchObject(refused);
    expect(unknown).toEqual(wrong);
  });

  test('tells who knows the password that the account is closed, and nobody else', async () => {
    const { email, user } = await app.person();
    await app.ctx().models.User.updateOne({ _id: user._id }, { isActive: false });

    expect((await app.login(email)).userErrors[0].code).toBe('ACCOUNT_DEACTIVATED');
    expect((await app.login(email, 'not the password')).userErrors[0].code).toBe('INVALID_CREDENTIALS');
  });

  test('knows a password however its letters are composed', async () => {
    const input = { email: newEmail(), password: 'ein schöner Morgen', name: 'Ute' };
    await app.run('register', input, 'accepted', { as: null });

    expect((await app.login(input.email, 'ein scho\u0308ner Morgen')).session).not.toBeNull();
  });

  test.each([
    ['an empty password', { password: '' }, 'INVALID_CREDENTIALS', ['input']],
    ['a password of 10,000 characters', { password: 'x'.repeat(10_000) }, 'INVALID', ['input', 'password']],
    ['half a character', { password: 'x\ud800' }, 'INVALID', ['input', 'password']],
    ['a NUL', { password: 'x\0' }, 'INVALID', ['input', 'password']],
    ['no address', { email: '' }, 'INVALID', ['input', 'email']],
    ['a long address', { email: `${'a'.repeat(10_000)}@soko.example` }, 'INVALID', ['input', 'email']],
  ])('refuses %s', async (_case, wrong, code, path) => {
    const { userErrors } = await app.run('login', { email: newEmail(), password: PASSWORD, ...wrong }, 'accessToken');

    expect(userErrors).toEqual([{ code, path, message: expect.any(String) }]);
  });

  test.each([['email'], ['password']])('refuses an operator of the store for %s', async (field) => {
    expect(await app.refusal('login', { email: newEmail(), password: PASSWORD, [field]: { $ne: null } }, 'accessToken')).toBe(
      'BAD_USER_INPUT',
    );
  });

  test('waits for the confirmed address where that is asked for, in the words of a wrong password', async () => {
    await using strict = await openAccounts({ environment: { REQUIRE_VERIFIED_EMAIL: 'true' } });
    const email = newEmail();
    await strict.run('register', { email, password: PASSWORD, name: 'Mwape' }, 'accepted', { as: null });

    expect(await strict.login(email)).toEqual(await strict.login(newEmail()));
    await strict.run('verifyEmail', { token: await strict.mailedToken(email) }, 'verified', { as: null });

    expect((await strict.login(email)).session).not.toBeNull();
  });
});

describe('a hash of older rules', () => {
  test.each([['2a'], ['2b']] as const)('of bcrypt ($%s) opens, and is Argon2id from then on', async (version) => {
    const { email, user } = await app.person();
    const old = (await bcryptHash(PASSWORD, { cost: 6 })).replace(/^\$2\w\$/, `$${version}$`);
    await app.ctx().models.User.updateOne({ _id: user._id }, { passwordHash: old });

    expect((await app.login(email, 'not the password')).userErrors[0].code).toBe('INVALID_CREDENTIALS');
    expect(await hashOf(email)).toBe(old);
    expect((await app.login(email)).session).not.toBeNull();

    expect(await hashOf(email)).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect((await app.login(email)).session).not.toBeNull();
  });

  test('of today’s rules stays', async () => {
    const { email } = await app.person();
    const before = await hashOf(email);

    await app.login(email);

    expect(await hashOf(email)).toBe(before);
  });
});

describe('guesses', () => {
  test('are evaluated ten times in a quarter of an hour; after that the right one is refused, too', async () => {
    const { email } = await app.person();
    for (let count = 0; count < 10; count += 1) expect(await codeOf(app.login(email, `wrong ${count}`))).toBe('INVALID_CREDENTIALS');

    expect(await codeOf(app.login(email))).toBe('RATE_LIMITED');
  });

  test('say when to come back', async () => {
    const email = newEmail();
    for (let count = 0; count < 10; count += 1) await app.login(email, 'wrong');

    const { errors } = await app.ask('mutation ($input: LoginInput!) { login(input: $input) { accessToken } }', {
      input: { email, password: 'wrong' },
    });

    expect(errors![0]!.extensions).toMatchObject({ code: 'RATE_LIMITED', retryable: true, retryAfterSeconds: expect.any(Number) });
    expect(errors![0]!.extensions['retryAfterSeconds']).toBeLessThanOrEqual(900);
  });

  test('lock an unknown address just the same', async () => {
    const email = newEmail();
    const codes = [];
    for (let count = 0; count < 11; count += 1) codes.push(await codeOf(app.login(email, 'wrong')));

    expect(codes).toEqual([...Array.from({ length: 10 }, () => 'INVALID_CREDENTIALS'), 'RATE_LIMITED']);
  });

  test('are ten in all when thirty come at once, in other letters', async () => {
    const { email } = await app.person();
    const spelt = (index: number) => (index % 2 === 0 ? email.toUpperCase() : ` ${email}`);

    const codes = await Promise.all(Array.from({ length: 30 }, (_, index) => codeOf(app.login(spelt(index), `wrong ${index}`))));

    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS')).toHaveLength(10);
    expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(20);
    expect(await codeOf(app.login(email))).toBe('RATE_LIMITED');
  });

  test('at an account that is locked are refused at once, but for a few that wait for a place of a right one', async () => {
    const { email } = await app.person();
    for (let time = 0; time < 10; time += 1) await codeOf(app.login(email, `wrong ${time}`));
    const since = performance.now();

    const times = await Promise.all(
      Array.from({ length: 40 }, async () => {
        expect(await codeOf(app.login(email))).toBe('RATE_LIMITED');
        return performance.now() - since;
      }),
    );

    const sorted = times.toSorted((a, b) => a - b);
    // Who waits does so for half a second at least.
    expect(sorted[34]!).toBeLessThan(sorted[39]! - 300);
  });

  test('are ten in all by aliases of one request: a right one behind them is not looked at', async () => {
    const { email, user } = await app.person();
    const passwords = [...Array.from({ length: 12 }, (_, index) => `wrong ${index}`), PASSWORD];
    const aliases = passwords.map(
      (password, index) => `a${index}: login(input: { email: "${email}", password: "${password}" }) { accessToken }`,
    );

    const { errors } = await app.ask(`mutation { ${aliases.join(' ')} }`, {}, { as: null });

    expect(errors!.map(({ extensions }) => extensions['code'])).toEqual(['RATE_LIMITED']);
    expect(await app.ctx().models.Session.countDocuments({ userId: user._id })).toBe(0);
  });

  test('that are right do not count: twelve devices may sign in at once', async () => {
    const { email } = await app.person();

    const answers = await Promise.all(Array.from({ length: 12 }, () => codeOf(app.login(email))));
    for (let count = 0; count < 12; count += 1) answers.push(await codeOf(app.login(email)));

    expect(answers.filter((code) => code !== undefined)).toEqual([]);
  });

  test('that were wrong are not wiped out by a right one', async () => {
    const { email } = await app.person();
    const codes = [];
    for (let count = 0; count < 11; count += 1) {
      codes.push(await codeOf(app.login(email, 'wrong')));
      if (count < 10) await app.login(email).catch(() => undefined);
    }

    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS')).toHaveLength(10);
  });

  test('of one network address are limited over all accounts; who guesses right still gets in', async () => {
    await using strict = await openAccounts({ environment: { FAILED_ATTEMPTS_PER_IP: '12' } });
    const [victim, tried] = [await strict.person(), await strict.person()];
    const from = { client: { ip: '10.3.3.3' } };
    expect(await codeOf(strict.login(tried.email, 'wrong', from))).toBe('INVALID_CREDENTIALS');
    const codes = [];
    for (let count = 0; count < 12 * 6; count += 1) codes.push(await codeOf(strict.login(newEmail(), 'wrong', from)));

    // Twelve, and five times as many at accounts where nobody was wrong: that is all.
    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS')).toHaveLength(12 * 6 - 1);
    expect(codes.at(-1)).toBe('RATE_LIMITED');
    expect(await codeOf(strict.login(victim.email, PASSWORD, from))).toBe('RATE_LIMITED');
    expect(await codeOf(strict.login(victim.email, PASSWORD, { client: { ip: '10.3.3.4' } }))).toBeUndefined();
  });

  test('of one network address lock nobody out who was not guessed at, nor a device that signed in before', async () => {
    await using strict = await openAccounts({ environment: { FAILED_ATTEMPTS_PER_IP: '12' } });
    const [neighbour, guessed, known] = [await strict.person(), await strict.person(), await strict.person()];
    const from = { client: { ip: '10.3.3.5' } };
    const phone = { client: { ip: '10.3.3.5', userAgent: 'Phone/1' } };
    await strict.login(known.email, PASSWORD, phone);
    await strict.login(known.email, 'wrong', from);
    for (let count = 0; count < 14; count += 1) await codeOf(strict.login(count < 3 ? guessed.email : newEmail(), 'wrong', from));

    expect(await codeOf(strict.login(neighbour.email, PASSWORD, from))).toBeUndefined();
    expect(await codeOf(strict.login(guessed.email, PASSWORD, from))).toBe('RATE_LIMITED');
    expect(await codeOf(strict.login(known.email, PASSWORD, from))).toBe('RATE_LIMITED');
    expect(await codeOf(strict.login(known.email, PASSWORD, phone))).toBeUndefined();
  });

  test('of strangers lock a named account for strangers, not for a device that signed in before', async () => {
    const { email } = await app.person();
    const phone = { client: { ip: '10.9.0.1', userAgent: 'Phone/1' } };
    await app.login(email, PASSWORD, phone);
    for (let count = 0; count < 10; count += 1) await app.login(email, 'wrong', { client: { ip: `10.9.1.${count}`, userAgent: 'Bot/1' } });

    // Neither the address nor the program alone is the device.
    for (const client of [{ ip: '10.9.1.99' }, { ip: '10.9.0.1', userAgent: 'Bot/1' }, { ip: '10.9.1.98', userAgent: 'Phone/1' }])
      expect(await codeOf(app.login(email, PASSWORD, { client }))).toBe('RATE_LIMITED');
    expect(await codeOf(app.login(email, PASSWORD, phone))).toBeUndefined();

    const codes = [];
    for (let count = 0; count < 11; count += 1) codes.push(await codeOf(app.login(email, 'wrong', phone)));
    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS')).toHaveLength(10);
    expect(codes.at(-1)).toBe('RATE_LIMITED');
  });

  test('are not helped by a device that was thrown out', async () => {
    const { email, as } = await app.person();
    const thief = { client: { ip: '10.9.0.2', userAgent: 'Thief/1' } };
    const { sessionId } = await app.signIn(email, thief);
    await app.run('revokeSession', { id: sessionId }, 'revokedId', { as });
    for (let count = 0; count < 10; count += 1) await app.login(email, 'wrong');

    expect(await codeOf(app.login(email, PASSWORD, thief))).toBe('RATE_LIMITED');
  });

  test('stay limited while Redis is away', async () => {
    await using other = await openAccounts();
    const { email } = await other.person();
    other.host.redis.disconnect();

    const codes = [];
    for (let count = 0; count < 12; count += 1) codes.push(await codeOf(other.login(email, 'wrong')));

    expect(codes.filter((code) => code === 'INVALID_CREDENTIALS').length).toBeLessThanOrEqual(10);
    expect(codes.at(-1)).toBe('RATE_LIMITED');
    expect(await codeOf(other.login(email))).toBe('RATE_LIMITED');
    await other.host.redis.connect();
  });

  test('leave no address in Redis', async () => {
    const email = newEmail();
    await app.login(email, 'wrong');

    const keys = await app.host.redis.keys(`${app.ctx().redisPrefix}:*`);

    expect(keys.some((key) => key.includes(':accounts:limit:guesses:'))).toBe(true);
    expect(keys.filter((key) => key.includes('@') || key.includes('soko.example'))).toEqual([]);
  });
});
