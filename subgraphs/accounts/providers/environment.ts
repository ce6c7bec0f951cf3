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
  ACCESS_TOKEN_MINUTES: whole(5, 60, 15),
  /** How long a session lives without being used; 24 is the other usual choice. */
  REFRESH_TOKEN_HOURS: whole(1, 24 * 90, 24 * 7),
  /** How long the newest used refresh token is answered with the same successor again; 0 ends the session at once. */
  REFRESH_GRACE_SECONDS: whole(0, 60, 10),
  /** True: nobody signs in with a password before the address is confirmed. */
  REQUIRE_VERIFIED_EMAIL: flag,
  /** Failed attempts (passwords, codes, tokens) of one network address in 15 minutes. */
  FAILED_ATTEMPTS_PER_IP: whole(10, 1_000_000, 200),
  /** New accounts from one network address in an hour. */
  REGISTRATIONS_PER_IP: whole(1, 1_000_000, 500),
  /** Minimum time of a failed login, so that an old, slower hash does not stand out. */
  FAILED_LOGIN_MIN_MS: whole(0, 5_000, 250),
  /** Where the links in mails lead. */
  PUBLIC_URL: z.url().default('http://127.0.0.1:4000'),
  /** `smtp://user:password@host:587`; left out, mails are kept in the database and shown by `npm run mail`. */
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  MAIL_FROM: z.string().default('Soko <no-reply@soko.example>'),
  GOOGLE_ISSUER: z.url().default('https://accounts.google.com'),
  GOOGLE_CLIENT_ID: z.string().optional(),
  GOOGLE_CLIENT_SECRET: z.string().optional(),
  /** Where Google sends people back to; `<PUBLIC_URL>/auth/google/callback` when left out. */
  GOOGLE_REDIRECT_URI: z.url().optional(),
  /** Encrypts stored authenticator secrets and derives each refresh token from the one before; derived from INTERNAL_SECRET when absent. */
  ACCOUNTS_ENCRYPTION_KEY: z.string().min(32).optional(),
});

/** The environment variables of this subgraph. */
export const environment = withFormerNames(schema, {
  FAILED_ATTEMPTS_PER_IP: 'GUESSES_PER_IP',
  FAILED_LOGIN_MIN_MS: 'REFUSAL_MS',
  ACCOUNTS_ENCRYPTION_KEY: 'ACCOUNTS_DATA_KEY',
});

export type Environment = z.output<typeof environment>;
