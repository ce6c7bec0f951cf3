import { createHmac } from 'node:crypto';
import { env } from '#shared/base/env.ts';
import { createCipher as createSharedCipher, deriveKey } from '#shared/base/encryption.ts';
import type { Environment } from './environment.ts';

/** Encrypts the secrets of this subgraph, and derives secrets from others. */
export function createAccountsCipher({ ACCOUNTS_ENCRYPTION_KEY }: Environment) {
  const secret = ACCOUNTS_ENCRYPTION_KEY ?? env.INTERNAL_SECRET;
  const successors = deriveKey('accounts-successors', secret);
  return {
    ...createSharedCipher('accounts-vault', secret),
    /** The successor of a secret: always the same, and unknown without the key. */
    derive: (token: string): string => createHmac('sha256', successors).update(token).digest('base64url'),
  };
}
