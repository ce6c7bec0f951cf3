import { createHash, randomBytes } from 'node:crypto';

const BYTES = 32;

/** 256 random bits, as text that fits into a link. */
export const newSecret = (): string => randomBytes(BYTES).toString('base64url');

/** How a secret is kept. Nothing slower is needed: 256 random bits cannot be guessed. */
export const hashSecret = (secret: string): string => createHash('sha256').update(secret).digest('base64url');
