import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openSandbox, type Sandbox } from '../../../sandbox/sandbox.ts';
import { codeOf, newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';

const CLIENT_ID = 'soko-test';
const SESSION = 'accessToken refreshToken session { id } user { id name email } mfaChallenge { token }';

/* The sandbox speaks the protocol: discovery, keys, codes, PKCE and signed tokens; the test decides who signs in there. */
let sandbox: Sandbox;
let app: Accounts;
beforeAll(async () => {
  sandbox = await openSandbox();
  app = await openAccounts({ environment: configuration(`${sandbox.url}/google`) });
});
afterAll(async () => {
  await app.close();
  await sandbox.close();
});

const configuration = (issuer: string) => ({
  GOOGLE_ISSUER: issuer,
  GOOGLE_CLIENT_ID: CLIENT_ID,
  GOOGLE_CLIENT_SECRET: 'a secret of the test',
  PUBLIC_URL: 'http://soko.example/',
});

interface Claims {
  sub?: string;
  email?: string;
  email_verified?: unknown;
  name?: string;
  [claim: string]: unknown;
}

let subjects = 0;
const somebody = (claims: Claims = {}): Claims => ({
  sub: `google-${(subjects += 1)}`,
  email: newEmail(),
  email_verified: true,
  name: 'Chipo Moonga',
  ...claims,
});

const begin = (input: object = {}) => app.run('googleAuthUrl', input, 'url flowToken expiresAt', { as: null });

/** As a browser would: to Google and back to where the answer leads. */
async function visit(url: string): Promise<{ code: string; state: string }> {
  const response = await fetch(url, { redirect: 'manual' });
  const landing = new URL(response.headers.get('location')!);
  expect(`${landing.origin}${landing.pathname}`).toBe('http://soko.example/auth/google/callback');
  return { code: landing.searchParams.get('code')!, state: landing.searchParams.get('state')! };
}

async function finish(input: object, claims: Claims, options = {}) {
  sandbox.control('google', { claims });
  return app.run('googleOAuth', input, SESSION, { as: null, ...options });
}

async function signIn(claims: Claims) {
  const { url, flowToken } = await begin();
  return finish({ ...(await visit(url)), flowToken }, claims);
}

const userBy = (email: string) => app.ctx().models.User.findOne({ email }).lean();
const failed = (field: string, code = 'GOOGLE_SIGN_IN_FAILED') => [{ code, path: ['input', field], message: expect.any(String) }];

describe('googleAuthUrl', () => {
  test('leads to Google with PKCE, state and nonce, and without the secret of the client', async () => {
    const { url, flowToken } = await begin({ loginHint: 'Chipo@soko.example' });

    const asked = Object.fromEntries(new URL(url).searchParams);
    expect(asked).toEqual({
      client_id: CLIENT_ID,
      redirect_uri: 'http://soko.example/auth/google/callback',
      response_type: 'code',
      scope: 'openid email profile',
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      login_hint: 'chipo@soko.example',
    });
    expect(url).not.toContain(flowToken);
  });

  test('refuses what is no address for a hint', async () => {
    expect((await begin({ loginHint: 'nobody' })).userErrors).toEqual(failed('loginHint', 'INVALID'));
  });

  test('says so where sign-in with Google is not set up', async () => {
    await using plain = await openAccounts();

    expect((await plain.run('googleAuthUrl', {}, 'url')).userErrors[0].code).toBe('GOOGLE_NOT_CONFIGURED');
    const input = { code: 'x', state: 'y', flowToken: 'A'.repeat(43) };
    expect((await plain.run('googleOAuth', input, 'accessToken')).userErrors[0].code).toBe('GOOGLE_NOT_CONFIGURED');
  });

  test('says that Google is away, and tries again', async () => {
    const away = await openSandbox();
    await away.close();
    await using other = await openAccounts({ environment: configuration(`${away.url}/google`) });

    expect(await other.refusal('googleAuthUrl', {}, 'url')).toBe('UNAVAILABLE');
    const back = await openSandbox({ port: Number(new URL(away.url).port) });
    expect((await other.run('googleAuthUrl', {}, 'url')).url).toContain(away.url);
    await back.close();
  });
});

describe('googleOAuth', () => {
  test('makes an account of a new person, confirmed, and says so', async () => {
    const person = somebody();

    const { user, session, accessToken, userErrors } = await signIn(person);

    expect({ user, userErrors }).toEqual({ user: { id: expect.any(String), name: 'Chipo Moonga', email: person.email }, userErrors: [] });
    expect([session.id, accessToken]).toEqual([expect.any(String), expect.any(String)]);
    expect(await userBy(person.email!)).toMatchObject({
      verified: true,
      roles: ['customer'],
      passwordHash: null,
      googleSubject: person.sub,
    });
    expect((await app.said('User.Registered')).filter(({ data }) => data.userId === user.id)).toHaveLength(1);
  });

  test('knows the person again, whatever the address there is now', async () => {
    const person = somebody();
    const { user } = await signIn(person);

    const again = await signIn({ ...person, email: newEmail(), email_verified: false });

    expect(again.user).toEqual(user);
  });

  test('links the account with the same confirmed address, keeps its password and tells its owner', async () => {
    const { email, user } = await app.person();

    const answer = await signIn(somebody({ email: email.toUpperCase() }));

    expect(answer.user.id).toBe(user._id);
    expect((await app.mails(email)).map(({ subject }) => subject)).toEqual(['Sign-in with Google is on']);
    expect((await app.login(email)).session).not.toBeNull();
  });

  test('takes an account over whose address nobody had confirmed: who made it is shut out', async () => {
    const email = newEmail();
    await app.run('register', { email, password: PASSWORD, name: 'Mallory' }, 'accepted', { as: null });
    const mallory = await app.signIn(email);

    const house = { recipient: 'Mallory', phone: '+260977123456', line1: 'Plot 1', city: 'Lusaka', country: 'ZM' };
    await app.run('createAddress', house, 'address { id }', { as: mallory.as });

    const answer = await signIn(somebody({ email }));

    expect(answer.user.id).toBe(mallory.as.id);
    expect(await userBy(email)).toMatchObject({ addresses: [], defaultAddressId: null });
    expect((await app.refresh(mallory.refreshToken)).userErrors[0].code).toBe('INVALID_REFRESH_TOKEN');
    expect(await app.isAnnounced(mallory.sessionId)).toBe(true);
    expect((await app.login(email)).userErrors[0].code).toBe('INVALID_CREDENTIALS');
  });

  test.each([[false], ['true'], [undefined], [1]])('links and makes nothing when Google says %p of the address', async (said) => {
    const { email, user } = await app.person();
    const person = somebody({ email_verified: said });

    expect((await signIn({ ...person, email })).userErrors).toEqual(failed('code', 'GOOGLE_EMAIL_NOT_VERIFIED'));
    expect((await signIn(person)).userErrors).toEqual(failed('code', 'GOOGLE_EMAIL_NOT_VERIFIED'));

    expect((await app.ctx().models.User.findById(user._id).lean())!.googleSubject).toBeNull();
    expect(await userBy(person.email!)).toBeNull();
  });

  test('does not hand a linked account to another Google account', async () => {
    const person = somebody();
    await signIn(person);

    expect((await signIn(somebody({ email: person.email! }))).userErrors).toEqual(failed('code'));
  });

  test('asks for the second step where it is on', async () => {
    const { email, as } = await app.person();
    const { secret } = await app.run('setUpMfa', { password: PASSWORD }, 'secret', { as });
    await app.run('confirmMfa', { code: codeOf(secret, app.clock.now()) }, 'recoveryCodes', { as });
    app.clock.advance(30_000);

    const { session, accessToken, mfaChallenge } = await signIn(somebody({ email }));

    expect([session, accessToken]).toEqual([null, null]);
    expect((await app.loginWithMfa(mfaChallenge.token, codeOf(secret, app.clock.now()))).user.id).toBe(as.id);
  });

  test('lets nobody into a closed account', async () => {
    const { email, user } = await app.person();
    const person = somebody({ email });
    await signIn(person);
    await app.ctx().models.User.updateOne({ _id: user._id }, { isActive: false });

    expect((await signIn(person)).userErrors[0].code).toBe('ACCOUNT_DEACTIVATED');
  });

  test('makes one account when the same person comes twice at once', async () => {
    const person = somebody();
    const begun = await Promise.all([begin(), begin(), begin()]);
    const back = await Promise.all(begun.map(async ({ url, flowToken }) => ({ ...(await visit(url)), flowToken })));

    sandbox.control('google', { claims: person });
    const answers = await Promise.all(back.map((input) => app.run('googleOAuth', input, SESSION, { as: null })));

    expect(new Set(answers.map(({ user }) => user.id)).size).toBe(1);
    expect(await app.ctx().models.User.countDocuments({ email: person.email! })).toBe(1);
  });

  test.each([
    ['without a name', { name: undefined }],
    ['with a name that runs backwards', { name: 'Chipo \u202e' }],
    ['with an endless name', { name: 'x'.repeat(5_000) }],
  ])('calls somebody %s by the mailbox', async (_case, claims) => {
    const person = somebody(claims);

    expect((await signIn(person)).user.name).toBe(person.email!.split('@')[0]);
  });
});

describe('a code opens nothing', () => {
  const ready = async () => {
    const { url, flowToken } = await begin();
    return { ...(await visit(url)), flowToken };
  };

  test('without the secret of the client that began', async () => {
    const [own, other] = [await ready(), await ready()];

    expect((await finish({ ...own, flowToken: other.flowToken }, somebody())).userErrors).toEqual(failed('state'));
    expect((await finish({ ...own, flowToken: 'A'.repeat(43) }, somebody())).userErrors).toEqual(failed('state'));
    expect((await finish({ ...own, flowToken: own.state }, somebody())).userErrors).toEqual(failed('state'));
  });

  test('twice', async () => {
    const input = await ready();
    const person = somebody();
    expect((await finish(input, person)).session).not.toBeNull();

    expect((await finish(input, person)).userErrors).toEqual(failed('state'));
  });

  test('after ten minutes', async () => {
    const input = await ready();
    app.clock.advance(10 * 60_000 + 1_000);

    expect((await finish(input, somebody())).userErrors).toEqual(failed('state'));
  });

  test('that was given to somebody else: PKCE', async () => {
    const [own, other] = [await ready(), await ready()];

    expect((await finish({ ...own, code: other.code }, somebody())).userErrors).toEqual(failed('code'));
  });

  test.each([
    ['an unknown code', 'no-such-code'],
    ['10,000 characters', 'x'.repeat(10_000)],
    ['no code', ''],
  ])('that is %s', async (_case, code) => {
    const { userErrors } = await finish({ ...(await ready()), code }, somebody());
    expect(userErrors).toEqual([
      { code: expect.stringMatching(/^(GOOGLE_SIGN_IN_FAILED|INVALID)$/), path: ['input', 'code'], message: expect.any(String) },
    ]);
  });

  test.each([
    ['for another client', { aud: 'somebody-else' }],
    ['of another issuer', { iss: 'https://accounts.example' }],
    ['that expired', { exp: Math.floor(Date.now() / 1_000) - 3_600 }],
    ['with another nonce', { nonce: 'another nonce' }],
    ['without a nonce', { nonce: undefined }],
    ['without a subject', { sub: undefined }],
  ])('when the id token is one %s', async (_case, claims) => {
    const person = somebody(claims as Claims);

    expect((await finish(await ready(), person)).userErrors).toEqual(failed('code'));
    expect(await userBy(person.email!)).toBeNull();
  });

  test('when the id token was signed by somebody else', async () => {
    const person = somebody();
    sandbox.fault({ thirdParty: 'google', kind: 'forged', request: 'POST /token' });

    expect((await finish(await ready(), person)).userErrors).toEqual(failed('code'));
    expect(await userBy(person.email!)).toBeNull();
  });
});
