import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

const person = (rest: object = {}) => ({ email: newEmail(), password: PASSWORD, name: 'Mwape Kasonde', ...rest });
const accepted = { accepted: true, userErrors: [] };
const register = (input: object, client?: { ip: string }) => app.run('register', input, 'accepted', { as: null, client });
const userBy = (email: string) => app.ctx().models.User.findOne({ email }).lean();
const saidOf = async (userId: string) => (await app.said('User.Registered')).filter(({ data }) => data.userId === userId);

describe('register', () => {
  test('makes a customer whose password nobody can read, and says so', async () => {
    const input = person({ phone: '+260 97 7123456', locale: 'en-zm' });

    expect(await register(input)).toEqual(accepted);

    const user = (await userBy(input.email))!;
    expect(user).toMatchObject({
      name: input.name,
      phone: '+260977123456',
      locale: 'en-ZM',
      roles: ['customer'],
      scopes: [],
      verified: false,
    });
    expect(user.passwordHash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await saidOf(user._id)).toMatchObject([
      { data: { userId: user._id, email: input.email, role: 'customer', timestamp: expect.any(String) } },
    ]);
  });

  test('mails a link that confirms the address, once, within a day', async () => {
    const input = person();
    await register(input);
    const token = await app.mailedToken(input.email);

    expect(await app.run('verifyEmail', { token }, 'verified')).toEqual({ verified: true, userErrors: [] });

    expect((await userBy(input.email))!.verified).toBe(true);
    expect((await app.run('verifyEmail', { token }, 'verified')).userErrors[0].code).toBe('INVALID_TOKEN');
  });

  test('answers a known address just the same, changes nothing and writes to its owner', async () => {
    const { email } = await app.person();
    const before = await userBy(email);

    expect(await register(person({ email: email.toUpperCase(), password: 'another good password', name: 'Mallory' }))).toEqual(accepted);

    expect(await userBy(email)).toEqual(before);
    const mails = await app.mails(email);
    expect(mails.map(({ subject }) => subject)).toEqual(['You have an account already']);
    expect(mails[0]!.text).not.toContain('Mallory');
    expect((await app.login(email, 'another good password')).userErrors[0].code).toBe('INVALID_CREDENTIALS');
  });

  test('lets the owner of a known address choose a new password by that mail', async () => {
    const { email } = await app.person();
    await register(person({ email }));

    const token = await app.mailedToken(email);

    expect(await app.run('resetPassword', { token, newPassword: 'another good password' }, 'reset')).toEqual({
      reset: true,
      userErrors: [],
    });
  });

  test('makes one account of one address that ten register at the same time', async () => {
    const email = newEmail();

    const answers = await Promise.all(Array.from({ length: 10 }, (_, index) => register(person({ email, name: `Person ${index}` }))));

    expect(answers).toEqual(Array.from({ length: 10 }, () => accepted));
    expect(await app.ctx().models.User.countDocuments({ email })).toBe(1);
    expect(await saidOf((await userBy(email))!._id)).toHaveLength(1);
  });

  test('works on the same idempotency key once, and refuses it with other input', async () => {
    const input = person({ idempotencyKey: `register-${newEmail()}` });

    const answers = [await register(input), await register(input)];

    expect(answers).toEqual([accepted, accepted]);
    expect(await app.mails(input.email)).toHaveLength(1);
    const { userErrors } = await register({ ...input, name: 'Somebody Else' });
    expect(userErrors[0]).toMatchObject({ code: 'IDEMPOTENCY_KEY_REUSED', path: ['input', 'idempotencyKey'] });
  });

  test('takes no role, no scope and no confirmation from a client', async () => {
    for (const extra of [
      { roles: ['ADMIN'] },
      { role: 'admin' },
      { verified: true },
      { isActive: true },
      { id: 'usr_1' },
      { scopes: ['a:b'] },
    ]) {
      const input = person(extra);
      expect(await app.refusal('register', input, 'accepted', { as: null })).toBe('BAD_USER_INPUT');
      expect(await userBy(input.email)).toBeNull();
    }
  });

  test('writes to one address five times an hour at most, and does not say so', async () => {
    const { email } = await app.person();

    for (let count = 0; count < 8; count += 1) expect(await register(person({ email }))).toEqual(accepted);

    expect(await app.mails(email)).toHaveLength(5);
  });

  test('refuses a network address that makes too many accounts', async () => {
    await using strict = await openAccounts({ environment: { REGISTRATIONS_PER_IP: '3' } });
    const from = (ip: string) => ({ as: null, client: { ip } });
    for (let count = 0; count < 3; count += 1) await strict.run('register', person(), 'accepted', from('10.2.2.2'));

    expect(await strict.refusal('register', person(), 'accepted', from('10.2.2.2'))).toBe('RATE_LIMITED');
    expect(await strict.run('register', person(), 'accepted', from('10.2.2.3'))).toEqual(accepted);
  });

  test.each([
    ['no address', { email: '' }, 'INVALID', ['input', 'email']],
    ['half an address', { email: 'mwape@' }, 'INVALID', ['input', 'email']],
    ['a long address', { email: `${'a'.repeat(10_000)}@soko.example` }, 'INVALID', ['input', 'email']],
    ['an address with a Cyrillic letter', { email: 'аdmin@soko.example' }, 'INVALID', ['input', 'email']],
    ['an address with an invisible letter', { email: 'ad\u200bmin@soko.example' }, 'INVALID', ['input', 'email']],
    ['an address with a NUL', { email: 'admin\0@soko.example' }, 'INVALID', ['input', 'email']],
    ['two addresses', { email: 'a@soko.example,b@soko.example' }, 'INVALID', ['input', 'email']],
    ['an address with a second line', { email: 'a@soko.example\r\nBcc: b@soko.example' }, 'INVALID', ['input', 'email']],
    ['no password', { password: '' }, 'INVALID', ['input', 'password']],
    ['a password of nine characters', { password: 'x7#kQ2!pL' }, 'INVALID', ['input', 'password']],
    ['a password of 129 characters', { password: 'ab3'.repeat(43) }, 'INVALID', ['input', 'password']],
    ['a password of 10,000 characters', { password: 'ab3'.repeat(3_334) }, 'INVALID', ['input', 'password']],
    ['a password with half a character', { password: 'password \ud800 and so on' }, 'INVALID', ['input', 'password']],
    ['a password with a NUL', { password: 'password \0 and so on' }, 'INVALID', ['input', 'password']],
    ['a common password', { password: 'Password123' }, 'WEAK_PASSWORD', ['input', 'password']],
    ['a common word with a year', { password: 'password2026' }, 'WEAK_PASSWORD', ['input', 'password']],
    ['our name with a year', { password: 'soko-demo-2026!' }, 'WEAK_PASSWORD', ['input', 'password']],
    ['the own name with a year', { password: 'Mwape-Mumba-1990', name: 'Mwape Mumba' }, 'WEAK_PASSWORD', ['input', 'password']],
    ['a password of one letter', { password: 'aaaaaaaaaaaaaaaa' }, 'WEAK_PASSWORD', ['input', 'password']],
    [
      'the address as password',
      { email: 'own.address@soko.example', password: 'Own.Address@soko.example' },
      'WEAK_PASSWORD',
      ['input', 'password'],
    ],
    [
      'the mailbox as password',
      { email: 'own.long.address@soko.example', password: 'own.long.address' },
      'WEAK_PASSWORD',
      ['input', 'password'],
    ],
    ['no name', { name: '  ' }, 'INVALID', ['input', 'name']],
    ['a name of 10,000 characters', { name: 'x'.repeat(10_000) }, 'INVALID', ['input', 'name']],
    ['a name that runs backwards', { name: 'Mwape \u202enimda' }, 'INVALID', ['input', 'name']],
    ['half a character for a name', { name: 'Mwape \udfff' }, 'INVALID', ['input', 'name']],
    ['a phone without country', { phone: '0977123456' }, 'INVALID', ['input', 'phone']],
    ['a language that is none', { locale: 'not a language' }, 'INVALID', ['input', 'locale']],
    ['a short idempotency key', { idempotencyKey: 'x' }, 'INVALID', ['input', 'idempotencyKey']],
  ])('refuses %s', async (_case, wrong, code, path) => {
    const { accepted: answer, userErrors } = await register(person(wrong));

    expect({ answer, userErrors }).toEqual({ answer: null, userErrors: [{ code, path, message: expect.any(String) }] });
  });

  test.each([['email'], ['password'], ['name']])('refuses an operator of the store for %s', async (field) => {
    expect(await app.refusal('register', person({ [field]: { $ne: null } }), 'accepted', { as: null })).toBe('BAD_USER_INPUT');
  });

  test('knows an address whose letters look the same', async () => {
    const { email, user } = await app.person({ email: `clay.${newEmail()}` });

    await register(person({ email: email.replace('clay', 'ＣＬＡＹ') }));

    expect(
      await app
        .ctx()
        .models.User.find({ email: { $regex: 'clay' } })
        .lean(),
    ).toMatchObject([{ _id: user._id }]);
  });

  test('gives names back as they were typed, letters and their accents composed', async () => {
    for (const name of ['Ngoma 👩🏾‍🌾', 'Zoe\u0301', 'Zoé', 'أمل', '花子', "O'Brien <b>"]) {
      const input = person({ name });
      await register(input);
      expect((await userBy(input.email))!.name).toBe(name.normalize('NFC'));
    }
  });
});

describe('requestEmailVerification', () => {
  test('sends another link, which ends the older one', async () => {
    const input = person();
    await register(input);
    const first = await app.mailedToken(input.email);

    expect(await app.run('requestEmailVerification', { email: input.email }, 'accepted', { as: null })).toEqual(accepted);

    const second = await app.mailedToken(input.email);
    expect(second).not.toBe(first);
    expect((await app.run('verifyEmail', { token: first }, 'verified')).userErrors[0].code).toBe('INVALID_TOKEN');
    expect((await app.run('verifyEmail', { token: second }, 'verified')).verified).toBe(true);
  });

  test.each([
    ['nobody has', async () => newEmail()],
    ['is confirmed', async () => (await app.person()).email],
  ])('answers an address that %s the same, and sends nothing', async (_case, emailOf) => {
    const email = await emailOf();

    expect(await app.run('requestEmailVerification', { email }, 'accepted', { as: null })).toEqual(accepted);

    expect(await app.mails(email)).toEqual([]);
  });

  test('refuses what is no address', async () => {
    const { userErrors } = await app.run('requestEmailVerification', { email: 'nobody' }, 'accepted', { as: null });
    expect(userErrors).toEqual([{ code: 'INVALID', path: ['input', 'email'], message: expect.any(String) }]);
  });
});

describe('verifyEmail', () => {
  const fresh = async () => {
    const input = person();
    await register(input);
    return { email: input.email, token: await app.mailedToken(input.email) };
  };

  test('refuses a link after a day', async () => {
    const { token, email } = await fresh();
    app.clock.advance(24 * 3_600_000 + 1_000);

    expect((await app.run('verifyEmail', { token }, 'verified')).userErrors[0].code).toBe('INVALID_TOKEN');
    expect((await userBy(email))!.verified).toBe(false);
  });

  test('refuses another user’s link to who is signed in, and does not use it up', async () => {
    const { token, email } = await fresh();
    const { as } = await app.person();

    expect((await app.run('verifyEmail', { token }, 'verified', { as })).userErrors[0].code).toBe('INVALID_TOKEN');

    expect((await userBy(email))!.verified).toBe(false);
    expect((await app.run('verifyEmail', { token }, 'verified', { as: null })).verified).toBe(true);
  });

  test('confirms once when the link is opened ten times at once', async () => {
    const { token } = await fresh();

    const answers = await Promise.all(Array.from({ length: 10 }, () => app.run('verifyEmail', { token }, 'verified')));

    expect(answers.filter(({ verified }) => verified)).toHaveLength(1);
  });

  test('keeps no token as it is, neither in its own row nor on its way to the mail', async () => {
    const { token } = await fresh();
    const { db } = app.runtime();

    const rows = await Promise.all(['tokens', 'outbox', 'inbox'].map((name) => db.collection(name).find({}).toArray()));

    expect(JSON.stringify(rows)).not.toContain(token);
  });

  test.each([
    ['nothing', ''],
    ['a guess', 'A'.repeat(43)],
    ['10,000 characters', 'A'.repeat(10_000)],
    ['a NUL', `${'A'.repeat(42)}\0`],
    ['a lone surrogate', `${'A'.repeat(42)}\ud800`],
  ])('refuses %s', async (_case, token) => {
    const { userErrors } = await app.run('verifyEmail', { token }, 'verified');

    expect(userErrors).toEqual([
      { code: expect.stringMatching(/^INVALID(_TOKEN)?$/), path: ['input', 'token'], message: expect.any(String) },
    ]);
  });
});
