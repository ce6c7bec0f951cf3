import { createAccessTokens } from './access-tokens.ts';
import { createGoogle } from './google.ts';
import type { Environment } from './environment.ts';
import { createMailer } from './smtp.ts';
import { createAccountsCipher } from './cipher.ts';

const HOUR_MS = 3_600_000;

/** Third parties, keys and settings of this subgraph, created once per process. */
export const providers = (environment: Environment) => ({
  accessTokens: createAccessTokens(environment),
  google: createGoogle(environment),
  mailer: createMailer(environment),
  cipher: createAccountsCipher(environment),
  settings: {
    refreshMs: environment.REFRESH_TOKEN_HOURS * HOUR_MS,
    refreshGraceMs: environment.REFRESH_GRACE_SECONDS * 1_000,
    requireVerifiedEmail: environment.REQUIRE_VERIFIED_EMAIL,
    failedAttemptsPerIp: environment.FAILED_ATTEMPTS_PER_IP,
    registrationsPerIp: environment.REGISTRATIONS_PER_IP,
    failedLoginMinMs: environment.FAILED_LOGIN_MIN_MS,
    publicUrl: environment.PUBLIC_URL.replace(/\/$/, ''),
  },
});

export type Providers = ReturnType<typeof providers>;
