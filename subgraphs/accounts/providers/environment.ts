import { z } from 'zod';
import { withFormerNames } from '#shared/base/env.ts';

const pem = z
  .string()
  .transform((key) => key.replaceAll(String.raw`\n`, '\n'))
  .optional();
const whole = (min: number, max: number, fallback: number) => z.coerce.number().int().min(min).max(max).default(fallback);
const flag = z
  .enum(['true', 'false'])
  .default('false')
  .transform((value) => value === 'true');

const schema = z.object({
  NODE_ENV: z.string().default('development'),
  /** PKCS8 PEM of an Ed25519 key. Outside production one is made when it is missing, good for this process only. */
  ACCESS_TOKEN_PRIVATE_KEY: pem,
  /** True: nobody signs in with a password before the address is confirmed. */
  REQUIRE_VERIFIED_EMAIL: flag,
  /** Minimum time of a failed login, so that an old, slower hash does not stand out. */
  FAILED_LOGIN_MIN_MS: whole(0, 5_000, 250),
  /** Where the links in mails lead. */
  PUBLIC_URL: z.url().default('http://127.0.0.1:4000'),
  /** Encrypts stored authenticator secrets and derives each refresh token from the one before; derived from INTERNAL_SECRET when absent. */
  ACCOUNTS_ENCRYPTION_KEY: z.string().min(32).optional(),
});

/** The environment variables of this subgraph. */
export const environment = withFormerNames(schema, {
  FAILED_LOGIN_MIN_MS: 'REFUSAL_MS',
  ACCOUNTS_ENCRYPTION_KEY: 'ACCOUNTS_DATA_KEY',
});

export type Environment = z.output<typeof environment>;
