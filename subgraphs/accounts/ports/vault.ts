import { createHmac } from 'node:crypto';
import { env } from '#shared/base/env.ts';
import { createCipher as createSharedVault, deriveKey } from '#shared/base/encryption.ts';
import type { Settings } from './settings.ts';

/** What this subgraph alone seals, and the secrets it makes out of others. */
export function createVault({ ACCOUNTS_DATA_KEY }: Settings) {
  const secret = ACCOUNTS_DATA_KEY ?? env.INTERNAL_SECRET;
  const successors = deriveKey('accounts-successors', secret);
  return {
    ...createSharedVault('accounts-vault', secret),
    /** The secret that follows this one: always the same, and without the key nobody can tell which. */
    derive: (token: string): string => createHmac('sha256', successors).update(token).digest('base64url'),
  };
}
