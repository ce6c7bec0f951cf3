import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { env } from '../../../shared/env.ts';
import type { Settings } from './settings.ts';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Seals what must be read again but must not lie open in the database or on a queue. */
export function createVault({ ACCOUNTS_DATA_KEY }: Settings) {
  const keyFor = (purpose: string) => Buffer.from(hkdfSync('sha256', ACCOUNTS_DATA_KEY ?? env.INTERNAL_SECRET, '', purpose, 32));
  const key = keyFor('accounts-vault');
  const derivationKey = keyFor('accounts-successors');
  return {
    seal(text: string): string {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv(ALGORITHM, key, nonce);
      const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), sealed]).toString('base64url');
    },
    /** Throws when the text was sealed with another key or was altered. */
    open(sealed: string): string {
      const bytes = Buffer.from(sealed, 'base64url');
      const decipher = createDecipheriv(ALGORITHM, key, bytes.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
    },
    /** The secret that follows this one: always the same, and without the key nobody can tell which. */
    derive: (secret: string): string => createHmac('sha256', derivationKey).update(secret).digest('base64url'),
  };
}
