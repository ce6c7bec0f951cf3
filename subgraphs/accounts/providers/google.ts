import { Problem, unavailable } from '#shared/base/errors.ts';
import type { Environment } from './environment.ts';

/** What has to be kept between sending somebody away and seeing them come back. */
export interface Flow {
  state: string;
  nonce: string;
  codeVerifier: string;
}

export interface Person {
  subject: string;
  email: string | undefined;
  emailVerified: boolean;
  name: string | undefined;
}

type Library = typeof import('openid-client');
type Configuration = Awaited<ReturnType<Library['discovery']>>;

const SCOPE = 'openid email profile';
const TIMEOUT_SECONDS = 8;
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** Sign-in by OpenID Connect: code flow with PKCE, state and nonce; null when no client is configured. */
export function createGoogle({ GOOGLE_ISSUER, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_REDIRECT_URI, PUBLIC_URL }: Environment) {
  if (!GOOGLE_CLIENT_ID) return null;
  const clientId = GOOGLE_CLIENT_ID;
  const redirectUri = GOOGLE_REDIRECT_URI ?? `${PUBLIC_URL.replace(/\/$/, '')}/auth/google/callback`;
  const issuer = new URL(GOOGLE_ISSUER);
  let discovered: Promise<[Library, Configuration]> | undefined;

  /** Asked once, with the first sign-in; a failure is forgotten, so that the next one tries again. */
  const discover = (): Promise<[Library, Configuration]> =>
    (discovered ??= (async (): Promise<[Library, Configuration]> => {
      const library = await import('openid-client');
      const plainHttp = issuer.protocol === 'http:' && LOOPBACK.has(issuer.hostname);
      const options = { timeout: TIMEOUT_SECONDS, ...(plainHttp && { execute: [library.allowInsecureRequests] }) };
      return [library, await library.discovery(issuer, clientId, GOOGLE_CLIENT_SECRET, undefined, options)];
    })().catch((error: unknown) => {
      discovered = undefined;
      throw unavailable('sign-in with Google', error);
    }));

  return {
    async newFlow(state: string, loginHint?: string): Promise<{ flow: Flow; url: string }> {
      const [library, configuration] = await discover();
      const flow = { state, nonce: library.randomNonce(), codeVerifier: library.randomPKCECodeVerifier() };
      const url = library.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope: SCOPE,
        state,
        nonce: flow.nonce,
        code_challenge: await library.calculatePKCECodeChallenge(flow.codeVerifier),
        code_challenge_method: 'S256',
        ...(loginHint ? { login_hint: loginHint } : { prompt: 'select_account' }),
      });
      return { flow, url: url.href };
    },

    /** Who came back with this code. Whatever is not in order (code, nonce, signature, audience, time) is one refusal. */
    async identify(flow: Flow, answer: { code: string; state: string; iss?: string | undefined }): Promise<Person> {
      const [library, configuration] = await discover();
      const landing = new URL(redirectUri);
      landing.searchParams.set('code', answer.code);
      landing.searchParams.set('state', answer.state);
      if (answer.iss) landing.searchParams.set('iss', answer.iss);
      const tokens = await library
        .authorizationCodeGrant(configuration, landing, {
          pkceCodeVerifier: flow.codeVerifier,
          expectedState: flow.state,
          expectedNonce: flow.nonce,
          idTokenExpected: true,
        })
        .catch((error: unknown) => {
          throw new Problem('GOOGLE_SIGN_IN_FAILED', 'Google did not confirm this sign-in. Begin again.', {
            path: ['input', 'code'],
            cause: error,
          });
        });
      const claims = tokens.claims()!;
      return {
        subject: claims.sub,
        email: typeof claims['email'] === 'string' ? claims['email'] : undefined,
        emailVerified: claims['email_verified'] === true,
        name: typeof claims['name'] === 'string' ? claims['name'] : undefined,
      };
    },
  };
}

export type Google = NonNullable<ReturnType<typeof createGoogle>>;
