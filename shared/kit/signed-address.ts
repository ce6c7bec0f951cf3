import { createHmac, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import { env } from '../base/env.ts';
import { deriveKey } from '../base/encryption.ts';
import type { Viewer } from '../base/identity.ts';
import { notFoundHere } from './route-problems.ts';

/*
 * Signed addresses: `<path>?viewer=...&expires=...&signature=...`. Whoever has one asks as the viewer for whom it was made, for one path, until it
 * expires; the rule of the route is asked at each use.
 */

/** As long as an access token: for longer, nobody vouches for roles. */
const ROLES_SECONDS = 15 * 60;
const MAX_SECONDS = 7 * 24 * 3_600;

const ViewerText = z.object({ id: z.string(), roles: z.array(z.string()), scopes: z.array(z.string()) }).nullable();

let key: Buffer | undefined;
const sign = (text: string): string =>
  createHmac('sha256', (key ??= deriveKey('signed addresses', env.INTERNAL_SECRET)))
    .update(text)
    .digest('base64url');

/**
 * Signs a path of a download, for the viewer and a time of at most 7 days. Where that is longer than 15 minutes, the viewer asks without roles and
 * scopes.
 */
export function signAddress(
  path: string,
  viewer: Viewer | null,
  { now, expiresInSeconds }: { now: Date; expiresInSeconds: number },
): string {
  if (!path.startsWith('/') || path.includes('#')) throw new TypeError('A signed address is made of a path, such as /files/reports/1');
  if (!(expiresInSeconds > 0 && expiresInSeconds <= MAX_SECONDS)) throw new TypeError('A signed address is good for at most 7 days');
  const keepsRoles = expiresInSeconds <= ROLES_SECONDS;
  const who = viewer && { id: viewer.id, roles: keepsRoles ? viewer.roles : [], scopes: keepsRoles ? viewer.scopes : [] };
  const claims = new URLSearchParams({
    viewer: Buffer.from(JSON.stringify(who)).toString('base64url'),
    expires: String(now.getTime() + expiresInSeconds * 1_000),
  });
  const unsigned = `${path}${path.includes('?') ? '&' : '?'}${claims}`;
  return `${unsigned}&signature=${sign(unsigned)}`;
}

const SIGNED = /^(?<unsigned>.*[?&]viewer=(?<viewer>[\w-]+)&expires=(?<expires>\d{1,15}))&signature=(?<signature>[\w-]{43})$/;

/** True for an address that claims to be signed. */
export const hasSignature = (url: string): boolean => /[?&]signature=/.test(url);

/** The viewer for whom an address was made. NOT_FOUND for one that was not made here, was altered, or has expired. */
export function readSignedAddress(url: string, now: Date): Viewer | null {
  const { unsigned = '', viewer = '', expires = '', signature = '' } = SIGNED.exec(url)?.groups ?? {};
  const [expected, given] = [Buffer.from(sign(unsigned)), Buffer.from(signature)];
  if (expected.length !== given.length || !timingSafeEqual(expected, given) || now.getTime() > Number(expires)) throw notFoundHere();
  return ViewerText.parse(JSON.parse(Buffer.from(viewer, 'base64url').toString()));
}
