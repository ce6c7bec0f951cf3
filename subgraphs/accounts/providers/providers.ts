import { createAccessTokens } from './access-tokens.ts';
import { createGoogle } from './google.ts';
import type { Environment } from './environment.ts';
import { createMailer } from './smtp.ts';
import { createAccountsCipher } from './cipher.ts';

/** Third parties, keys and what the environment says about this subgraph, created once per process. */
export const providers = (environment: Environment) => ({
  accessTokens: createAccessTokens(environment),
  google: createGoogle(environment),
  mailer: createMailer(environment),
  cipher: createAccountsCipher(environment),
  settings: {
    requireVerifiedEmail: environment.REQUIRE_VERIFIED_EMAIL,
    failedLoginMinMs: environment.FAILED_LOGIN_MIN_MS,
    publicUrl: environment.PUBLIC_URL.replace(/\/$/, ''),
  },
});

export type Providers = ReturnType<typeof providers>;
