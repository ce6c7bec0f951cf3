import { createPublicKey, type KeyObject } from 'node:crypto';
import { jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import type { Viewer } from '#shared/base/identity.ts';

/** The viewer of a request or a socket, and how long it is valid. */
export interface Session {
  viewer: Viewer | null;
  /** Epoch milliseconds; infinite for an anonymous viewer. */
  expiresAt: number;
}

export interface UseViewer {
  /** The session of raw HTTP headers, name and value in turn. Synchronous when the token is cached; throws when it is invalid. */
  fromHeaders: (rawHeaders: readonly string[]) => Session | Promise<Session>;
  /** The session of a socket: `authorization` in the payload of connection_init. */
  fromConnectionParams: (params: Readonly<Record<string, unknown>> | undefined) => Promise<Session>;
}

const ANONYMOUS: Session = { viewer: null, expiresAt: Number.POSITIVE_INFINITY };

const ISSUER = 'soko';
const AUDIENCE = 'soko';
const LEEWAY_SECONDS = 5;
const MAX_CACHED_TOKENS = 20_000;
const MAX_TOKEN_LENGTH = 4_096;
/** Accepted token types. A refresh token in JWT form would have another type. */
const TYPES = new Set<unknown>([undefined, 'JWT', 'at+jwt']);

const Claims = z.object({
  sub: z.string().min(1),
  exp: z.number(),
  iat: z.number().optional(),
  roles: z.array(z.string()),
  scopes: z.array(z.string()),
  sid: z.string().min(1).optional(),
});

/** Makes every caller anonymous, whatever it sends. */
export const anonymousViewers: UseViewer = {
  fromHeaders: () => ANONYMOUS,
  fromConnectionParams: async () => ANONYMOUS,
};

/**
 * Turns bearer access tokens (EdDSA) into sessions. No token is an anonymous session; an invalid token is UNAUTHENTICATED, never anonymous.
 * A token is verified once, then cached until it expires.
 */
export function useViewer({ publicKey }: { publicKey: string }): UseViewer {
  const key = readKey(publicKey);
  const verified = new LRUCache<string, Session>({ max: MAX_CACHED_TOKENS });

  const sessionOf = (authorization: unknown): Session | Promise<Session> => {
    const token = bearer(authorization);
    const known = verified.get(token);
    return known && known.expiresAt > Date.now() ? known : verifyOnce(token);
  };
  const verifyOnce = async (token: string): Promise<Session> => {
    const session = await verify(token, key);
    verified.set(token, session, { ttl: Math.max(1, session.expiresAt - Date.now()) });
    return session;
  };

  return {
    fromHeaders(rawHeaders) {
      const given = valuesOf(rawHeaders, 'authorization');
      if (given.length === 0) return ANONYMOUS;
      // Which of two headers counts would depend on the reader.
      if (given.length > 1) throw badToken();
      return sessionOf(given[0]);
    },
    async fromConnectionParams(params = {}) {
      const given = Object.keys(params).filter((name) => name.toLowerCase() === 'authorization');
      if (given.length === 0) return ANONYMOUS;
      if (given.length > 1) throw badToken();
      return sessionOf(params[given[0]!]);
    },
  };
}

/** A key of another type would start, and then refuse every token. */
function readKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    key = createPublicKey(pem);
  } catch (error) {
    throw new Error('ACCESS_TOKEN_PUBLIC_KEY: must be a public key, as a PEM', { cause: error });
  }
  const type = key.asymmetricKeyType;
  if (type !== 'ed25519') throw new Error(`ACCESS_TOKEN_PUBLIC_KEY: must be an Ed25519 key, and is one of the type ${type}`);
  return key;
}

const badToken = (): Problem => new Problem('UNAUTHENTICATED', 'The access token is not valid. Sign in again, or refresh it.');

function bearer(authorization: unknown): string {
  const token = typeof authorization === 'string' ? /^Bearer ([\w-]+\.[\w-]+\.[\w-]+)$/i.exec(authorization)?.[1] : undefined;
  if (!token || token.length > MAX_TOKEN_LENGTH) throw badToken();
  return token;
}

async function verify(token: string, key: KeyObject): Promise<Session> {
  try {
    const { payload, protectedHeader } = await jwtVerify(token, key, {
      algorithms: ['EdDSA', 'Ed25519'],
      issuer: ISSUER,
      audience: AUDIENCE,
      clockTolerance: LEEWAY_SECONDS,
      currentDate: new Date(Date.now()),
    });
    const { sub: id, exp, iat, roles, scopes, sid: sessionId } = Claims.parse(payload);
    if (!TYPES.has(protectedHeader.typ)) throw badToken();
    if (iat !== undefined && iat > Date.now() / 1000 + LEEWAY_SECONDS) throw badToken();
    return { viewer: { id, roles, scopes, sessionId }, expiresAt: exp * 1000 };
  } catch {
    throw badToken();
  }
}

function valuesOf(rawHeaders: readonly string[], name: string): string[] {
  const values: string[] = [];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const each = rawHeaders[index]!;
    if (each.length === name.length && each.toLowerCase() === name) values.push(rawHeaders[index + 1]!);
  }
  return values;
}
