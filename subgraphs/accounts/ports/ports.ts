import { createAccessTokens } from './access-tokens.ts';
import { createGoogle } from './google.ts';
import type { Settings } from './settings.ts';
import { createMailer } from './smtp.ts';
import { createVault } from './vault.ts';

const HOUR_MS = 3_600_000;

/** Third parties, keys and house rules of this subgraph, made once for the process. */
export const ports = (settings: Settings) => ({
  accessTokens: createAccessTokens(settings),
  google: createGoogle(settings),
  mailer: createMailer(settings),
  vault: createVault(settings),
  rules: {
    refreshMs: settings.REFRESH_TOKEN_HOURS * HOUR_MS,
    refreshGraceMs: settings.REFRESH_GRACE_SECONDS * 1_000,
    requireVerifiedEmail: settings.REQUIRE_VERIFIED_EMAIL,
    guessesPerIp: settings.GUESSES_PER_IP,
    registrationsPerIp: settings.REGISTRATIONS_PER_IP,
    refusalMs: settings.REFUSAL_MS,
    publicUrl: settings.PUBLIC_URL.replace(/\/$/, ''),
  },
});

export type Ports = ReturnType<typeof ports>;
