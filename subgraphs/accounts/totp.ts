import { randomBytes } from 'node:crypto';
import { Secret, TOTP } from 'otpauth';
import { hashSecret } from './secrets.ts';

const PERIOD_SECONDS = 30;
const SECRET_BYTES = 20;
/** One step before and after now: phones' clocks are off, and people type slowly. */
const WINDOW = 1;
const RECOVERY_CODES = 10;
const RECOVERY_LETTERS = 16;
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZ23456789';

export const newTotpSecret = (): string => new Secret({ size: SECRET_BYTES }).base32;

/** What an authenticator reads from a QR code. */
export const totpUri = (secret: string, label: string): string => totp(secret, label).toString();

/** The time step a code belongs to; null when it belongs to none near now. */
export function stepOf(secret: string, code: string, now: Date): number | null {
  const timestamp = now.getTime();
  const delta = totp(secret).validate({ token: code, timestamp, window: WINDOW });
  return delta === null ? null : TOTP.counter({ period: PERIOD_SECONDS, timestamp }) + delta;
}

/** Ten codes of 80 random bits in four groups, for paper. Each is good once. */
export const newRecoveryCodes = (): string[] =>
  Array.from({ length: RECOVERY_CODES }, () => {
    // 32 letters divide 256 evenly, so none is likelier than another.
    const letters = [...randomBytes(RECOVERY_LETTERS)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
    return letters.match(/.{4}/g)!.join('-');
  });

/** However it is typed: capitals or not, with or without dashes. */
export const hashRecoveryCode = (code: string): string => hashSecret(code.toUpperCase().replaceAll(/[^A-Z0-9]/g, ''));

export const looksLikeTotp = (code: string): boolean => /^\d{6}$/.test(code);

const totp = (secret: string, label = 'account'): TOTP =>
  new TOTP({ issuer: 'Soko', label, algorithm: 'SHA1', digits: 6, period: PERIOD_SECONDS, secret: Secret.fromBase32(secret) });
