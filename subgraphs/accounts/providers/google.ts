import { z } from 'zod';
import { isProblem, Problem, unavailable } from '#shared/base/errors.ts';
import { defineProvider, type ProviderTools } from '#shared/providers/define-provider.ts';

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
const LOOPBACK = new Set(['127.0.0.1', 'localhost', '[::1]']);

const settings = z.object({
  GOOGLE_ISSUER: z.url().default('https://accounts.google.com'),
  GOOGLE_CLIENT_ID: z.string().optional(),
  GOOGLE_CLIENT_SECRET: z.string().optional(),
  /** Where Google sends people back to; `<PUBLIC_URL>/auth/google/callback` when left out. */
  GOOGLE_REDIRECT_URI: z.url().optional(),
  PUBLIC_URL: z.url().default('http://127.0.0.1:4000'),
});

/** Sign-in with Google; null when no client is configured. */
export const google = defineProvider('google', {
  settings,
  sandbox: { GOOGLE_ISSUER: '/google', GOOGLE_CLIENT_ID: 'soko-sandbox', GOOGLE_CLIENT_SECRET: 'secret of the sandbox' },
  http: { timeoutMs: 8_000, redact: ['code', 'code_verifier', 'client_secret'] },
  open: (tools) => createGoogle(tools),
});

/** By OpenID Connect: code flow with PKCE, state and nonce. */
function createGoogle({ settings: given, http }: Pick<ProviderTools<z.output<typeof settings>>, 'settings' | 'http'>) {
  const { GOOGLE_ISSUER, GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET, GOOGLE_REDIRECT_URI, PUBLIC_URL } = given;
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
      // The library trusts TLS for the signature of an id token, unless it is told to check it.
      const execute = [library.enableNonRepudiationChecks, ...(plainHttp ? [library.allowInsecureRequests] : [])];
      const options = { [library.customFetch]: http.fetch, execute };
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
          if (isProblem(error) || isProblem((error as Error).cause)) throw unavailable('sign-in with Google', error);
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
