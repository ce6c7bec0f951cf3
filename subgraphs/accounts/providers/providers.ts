import type { Opened } from '#shared/providers/define-provider.ts';
import { createAccessTokens } from './access-tokens.ts';
import { google } from './google.ts';
import type { Environment } from './environment.ts';
import { mailer } from './mailer.ts';
import { createSuccessors } from './cipher.ts';

/** Third parties, keys and what the environment says about this subgraph. */
export const providers = (environment: Environment) => ({
  accessTokens: createAccessTokens(environment),
  google,
  mailer,
  successorOf: createSuccessors(environment),
  settings: {
    requireVerifiedEmail: environment.REQUIRE_VERIFIED_EMAIL,
    failedLoginMinMs: environment.FAILED_LOGIN_MIN_MS,
    publicUrl: environment.PUBLIC_URL.replace(/\/$/, ''),
  },
});

export type Providers = Opened<ReturnType<typeof providers>>;
