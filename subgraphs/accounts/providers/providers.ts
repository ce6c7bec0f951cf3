import { createAccessTokens } from './access-tokens.ts';
import { createGoogle } from './google.ts';
import type { Settings } from './settings.ts';
import { createMailer } from './smtp.ts';
import { createAccountsCipher } from './cipher.ts';

const HOUR_MS = 3_600_000;

/** Third parties, keys and settings of this subgraph, created once per process. */
export const providers = (settings: Settings) => ({
  accessTokens: createAccessTokens(settings),
  google: createGoogle(settings),
  mailer: createMailer(settings),
  cipher: createAccountsCipher(settings),
  settings: {
    refreshMs: settings.REFRESH_TOKEN_HOURS * HOUR_MS,
    refreshGraceMs: settings.REFRESH_GRACE_SECONDS * 1_000,
    requireVerifiedEmail: settings.REQUIRE_VERIFIED_EMAIL,
    failedAttemptsPerIp: settings.FAILED_ATTEMPTS_PER_IP,
    registrationsPerIp: settings.REGISTRATIONS_PER_IP,
    failedLoginMinMs: settings.FAILED_LOGIN_MIN_MS,
    publicUrl: settings.PUBLIC_URL.replace(/\/$/, ''),
  },
});

export type Providers = ReturnType<typeof providers>;
