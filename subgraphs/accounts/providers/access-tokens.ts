import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import type { Environment } from './environment.ts';

interface Claims {
  userId: string;
  roles: string[];
  scopes: string[];
  sessionId: string;
}

const NAME = 'soko';

/** Signs who somebody is, for a few minutes. The gateway alone reads these tokens, with the public half of the key. */
export function createAccessTokens({ ACCESS_TOKEN_PRIVATE_KEY, NODE_ENV }: Environment) {
  const key = ACCESS_TOKEN_PRIVATE_KEY ? readKey(ACCESS_TOKEN_PRIVATE_KEY) : makeKey(NODE_ENV);

  return {
    async sign(
      { userId, roles, scopes, sessionId }: Claims,
      { now, minutes }: { now: Date; minutes: number },
    ): Promise<{ accessToken: string; accessTokenExpiresAt: Date }> {
      const accessTokenExpiresAt = new Date(now.getTime() + minutes * 60_000);
      const accessToken = await new SignJWT({ roles, scopes, sid: sessionId })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'JWT' })
        .setIssuer(NAME)
        .setAudience(NAME)
        .setSubject(userId)
        .setIssuedAt(now)
        .setExpirationTime(accessTokenExpiresAt)
        .sign(key);
      return { accessToken, accessTokenExpiresAt };
    },
  };
}

function readKey(pem: string): KeyObject {
  const key = createPrivateKey(pem);
  if (key.asymmetricKeyType !== 'ed25519') throw new Error('ACCESS_TOKEN_PRIVATE_KEY must be an Ed25519 key');
  return key;
}

function makeKey(environment: string): KeyObject {
  if (environment === 'production') throw new Error('ACCESS_TOKEN_PRIVATE_KEY must be set in production');
  return generateKeyPairSync('ed25519').privateKey;
}
