import { createHmac } from 'node:crypto';
import { env, parseEnv } from '#shared/base/env.ts';
import { deriveKey } from '#shared/base/encryption.ts';
import { environment, type Environment } from './environment.ts';

const secretOf = ({ ACCOUNTS_ENCRYPTION_KEY }: Environment): string => ACCOUNTS_ENCRYPTION_KEY ?? env.INTERNAL_SECRET;

/** The secret of authenticator secrets from before DATA_KEYS. */
export const unnamedSecret = (): string => secretOf(parseEnv(environment, process.env));

/** The successor of a secret: always the same, and unknown without the key. */
export function createSuccessors(settings: Environment): (token: string) => string {
  const key = deriveKey('accounts-successors', secretOf(settings));
  return (token) => createHmac('sha256', key).update(token).digest('base64url');
}
