import { createSecretKey, type KeyObject } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import { env } from './env.ts';
import { unauthenticated } from './errors.ts';

export interface Viewer {
  id: string;
  roles: string[];
  scopes: string[];
  sessionId?: string | undefined;
}

/** The program that a client uses. */
export interface Client {
  ip?: string | undefined;
  userAgent?: string | undefined;
  /** Name of its API key. */
  apiKey?: string | undefined;
}

/** Who asks: minted by the gateway from a verified access token (viewer null = anonymous), or by a subgraph that acts on its own behalf. */
export interface Identity {
  issuer: string;
  viewer: Viewer | null;
  client?: Client | undefined;
  /** Headers of the client that are handed on, unread, to subgraphs that are not ours. Answers may depend on them. */
  forwarded?: Record<string, string> | undefined;
}

/** The header in which a signed identity travels between services. */
export const IDENTITY_HEADER = 'x-internal-key';

/** Who asks for clients. It has queries, mutations and routes only, no commands. */
export const GATEWAY = 'gateway';

/** What a token opens: everything a client may ask, every route, or one command. */
export type Purpose = 'graphql' | 'route' | `command ${string}`;

const LIFETIME_SECONDS = 60;
/** Clocks of two machines may differ by this much. */
const LEEWAY_SECONDS = 5;
const REMEMBERED_TOKENS = 10_000;

const Claims = z.object({
  iss: z.string(),
  exp: z.number(),
  purpose: z.string(),
  viewer: z
    .object({ id: z.string(), roles: z.array(z.string()), scopes: z.array(z.string()), sessionId: z.string().optional() })
    .nullable(),
  client: z.object({ ip: z.string().optional(), userAgent: z.string().optional(), apiKey: z.string().optional() }).optional(),
});

let secretKey: KeyObject | undefined;
const verified = new LRUCache<string, Identity>({ max: REMEMBERED_TOKENS });

/** A token that only the subgraph `audience` accepts, for one purpose and one minute. */
export function signIdentity({ issuer, viewer, client }: Identity, audience: string, purpose: Purpose = 'graphql'): Promise<string> {
  return new SignJWT({ viewer, client, purpose })
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(`${LIFETIME_SECONDS}s`)
    .sign(secret());
}

/**
 * The identity inside a token; anything but a fresh token for this audience and purpose is refused as UNAUTHENTICATED, without saying why.
 * The gateway's tokens open no command whatever they say: who overhears it, or has it sign something, gets what a client can ask.
 */
export async function verifyIdentity(token: string, audience: string, purpose: Purpose = 'graphql'): Promise<Identity> {
  const memo = `${audience}\n${purpose}\n${token}`;
  const known = verified.get(memo);
  if (known) return known;
  try {
    const { payload } = await jwtVerify(token, secret(), {
      algorithms: ['HS256'],
      audience,
      clockTolerance: LEEWAY_SECONDS,
      maxTokenAge: LIFETIME_SECONDS,
      requiredClaims: ['iss', 'exp', 'iat'],
    });
    const { iss, exp, viewer, client, purpose: given } = Claims.parse(payload);
    if (given !== purpose || (purpose.startsWith('command ') && iss === GATEWAY)) throw unauthenticated();
    const identity: Identity = { issuer: iss, viewer, client };
    const ttl = exp * 1000 - Date.now();
    if (ttl > 0) verified.set(memo, identity, { ttl });
    return identity;
  } catch {
    throw unauthenticated();
  }
}

const secret = (): KeyObject => (secretKey ??= createSecretKey(Buffer.from(env.INTERNAL_SECRET)));
