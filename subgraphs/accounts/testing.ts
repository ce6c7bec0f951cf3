import { randomBytes } from 'node:crypto';
import { TOTP, Secret } from 'otpauth';
import { answering, open, viewer, type AskOptions, type OpenOptions, type TestApp } from '#shared/testing/open.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { findMemberships } from '../vendors/contract.ts';
import { listKeptMails, tokenIn } from './actions/mail.ts';
import { seedAccount } from './actions/register.ts';
import type { Ctx } from './loaders.ts';
import type { KeptMail, User } from './model.ts';
import type { Role } from './roles.ts';
import { subgraph } from './subgraph.ts';

export const PASSWORD = 'correct horse battery staple';

/** Every field of a session that was opened. */
const OPENED = `accessToken accessTokenExpiresAt refreshToken refreshTokenExpiresAt session { id isCurrent expiresAt device { name ip } user { email } } user { id email }`;
const ERRORS = 'userErrors { code message path }';

const LOGIN = `mutation ($input: LoginInput!) { login(input: $input) { ${OPENED} mfaChallenge { token expiresAt } ${ERRORS} } }`;
const LOGIN_WITH_MFA = `mutation ($input: LoginWithMfaInput!) { loginWithMfa(input: $input) { ${OPENED} ${ERRORS} } }`;
const REFRESH = `mutation ($input: RefreshSessionInput!) { refreshSession(input: $input) { ${OPENED} ${ERRORS} } }`;

interface Person {
  user: User;
  email: string;
  /** Signed in, with no session that exists; `signIn` opens one. */
  as: Viewer;
}

/** An open subgraph with the steps that most tests begin with. */
export interface Accounts extends TestApp {
  ctx(): Ctx;
  /** A confirmed account with the usual password. */
  person(options?: { roles?: Role[]; email?: string; name?: string }): Promise<Person>;
  /** Runs one mutation and answers its payload; `fields` besides the refusals. */
  run(name: string, input: object, fields?: string, options?: AskOptions): Promise<any>;
  /** The code of the top-level error of a mutation. */
  refusal(name: string, input: object, fields: string, options?: AskOptions): Promise<string | undefined>;
  login(email: string, password?: string, options?: AskOptions & { rememberMe?: boolean }): Promise<any>;
  loginWithMfa(challengeToken: string, code: string, options?: AskOptions): Promise<any>;
  refresh(refreshToken: string, options?: AskOptions): Promise<any>;
  /** Signs in and answers tokens and the viewer a gateway would make of them. */
  signIn(email: string, options?: AskOptions): Promise<{ as: Viewer; accessToken: string; refreshToken: string; sessionId: string }>;
  mails(to: string): Promise<KeptMail[]>;
  /** The token of the newest mail to an address. */
  mailedToken(to: string): Promise<string>;
  isAnnounced(sessionId: string): Promise<boolean>;
}

let people = 0;
export const newEmail = (): string => `person${(people += 1)}-${randomBytes(4).toString('hex')}@soko.example`;

/** The code an authenticator with this secret shows at a moment. */
export const codeOf = (secret: string, at: Date): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at.getTime() });

export async function openAccounts(options: OpenOptions = {}): Promise<Accounts> {
  const answers = [answering(findMemberships, () => ({ memberships: [] }))];
  const app = await open(subgraph, { answers, ...options, environment: { FAILED_LOGIN_MIN_MS: '0', ...options.environment } });
  const ctx = () => app.context() as Ctx;

  const run: Accounts['run'] = async (name, input, fields = '', asked) => {
    const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input!`;
    const { data, errors } = await app.ask(
      `mutation ($input: ${type}) { ${name}(input: $input) { ${fields} ${ERRORS} } }`,
      { input },
      asked,
    );
    if (errors) throw new Error(`${name}: ${JSON.stringify(errors)}`);
    return data[name];
  };
  const ask = async (name: string, query: string, input: object, asked?: AskOptions) => {
    const { data, errors } = await app.ask(query, { input }, asked);
    if (errors) throw new Error(errors[0]!.extensions['code']);
    return data[name];
  };

  return Object.assign(app, {
    ctx,
    run,
    async person({ roles = ['customer'] as Role[], email = newEmail(), name = 'Thandiwe Ngoma' } = {}) {
      const { user } = await seedAccount(ctx(), { email, password: PASSWORD, name, roles });
      return { user, email, as: viewer(user._id, [...roles]) };
    },
    async refusal(name, input, fields, asked) {
      const type = `${name[0]!.toUpperCase()}${name.slice(1)}Input!`;
      const { errors } = await app.ask(`mutation ($input: ${type}) { ${name}(input: $input) { ${fields} ${ERRORS} } }`, { input }, asked);
      return errors?.[0]?.extensions['code'];
    },
    login: (email, password = PASSWORD, { rememberMe, ...asked } = {}) =>
      ask('login', LOGIN, { email, password, ...(rememberMe !== undefined && { rememberMe }) }, { as: null, ...asked }),
    loginWithMfa: (challengeToken, code, asked) => ask('loginWithMfa', LOGIN_WITH_MFA, { challengeToken, code }, { as: null, ...asked }),
    refresh: (refreshToken, asked) => ask('refreshSession', REFRESH, { refreshToken }, { as: null, ...asked }),
    async signIn(email, asked) {
      const { accessToken, refreshToken, session, user, userErrors } = await this.login(email, PASSWORD, asked);
      if (!session) throw new Error(`no session: ${JSON.stringify(userErrors)}`);
      const found = await ctx().models.User.findById(user.id).lean();
      return { as: { ...viewer(user.id, [...found!.roles]), sessionId: session.id }, accessToken, refreshToken, sessionId: session.id };
    },
    async mails(to) {
      await app.settled();
      return listKeptMails(ctx(), { to });
    },
    async mailedToken(to) {
      const newest = (await this.mails(to)).at(-1);
      const token = newest && tokenIn(newest);
      if (!token) throw new Error(`no token was mailed to ${to}`);
      return token;
    },
    isAnnounced: async (sessionId) => (await app.host.redis.exists(`${ctx().redisPrefix}:sessions:revoked:${sessionId}`)) > 0,
  } satisfies Omit<Accounts, keyof TestApp>);
}
