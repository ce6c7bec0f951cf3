import { hash as argon2Hash, parseOptions, verify as argon2Verify } from '@node-rs/argon2';
import { verify as bcryptVerify } from '@node-rs/bcrypt';
import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';
import { isGuessable } from './guessable.ts';

/** 19 MiB, two passes, one lane: OWASP's first choice for Argon2id (the library's own algorithm when none is named). */
const COST = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
const SHORTEST = 10;
const LONGEST = 128;
const MIN_DIFFERENT = 5;

/** Those of ten characters and more that guessers try first, in small letters; shorter ones are refused anyway. */
const COMMON = new Set(
  `1234567890 0123456789 0987654321 1234567891 12345678910 123456789a a123456789 1q2w3e4r5t 1qaz2wsx3edc q1w2e3r4t5 q1w2e3r4t5y6
  qwertyuiop qwerty1234 qwerty12345 qwerty123456 asdfghjkl1 asdfghjkl123 zaq12wsxcde 1qazxsw23edc qazwsxedcrfv poiuytrewq
  password12 password123 password1234 password12345 passw0rd123 p@ssw0rd123 p@ssword123 mypassword password01 passwordpassword
  iloveyou12 iloveyou123 iloveyousomuch welcome123 welcome1234 admin12345 admin123456 administrator changeme123 letmein123 letmein1234
  abcd123456 abcdef1234 abc1234567 abcdefghij abcdefghijk aa12345678 liverpool1 liverpool123 manchester manchester1 manchesterunited
  chelsea123 arsenal123 superman123 spiderman1 basketball footballer football123 football12 baseball12 sunshine12 sunshine123
  princess12 princess123 dragon1234 monkey1234 michael123 jesuschrist jesus12345 jesuslovesme godisgood1 godisgood123 blessed123
  family1234 computer123 internet123 samsung123 whatever123 trustno1234 lovelove12 loveyou123 zambia1234 zambia2026 lusaka1234`.split(
    /\s+/,
  ),
);

/** 10 to 128 characters of well-formed text; one spelling for what looks the same on two keyboards. */
export const newPassword = () =>
  z
    .string()
    .max(LONGEST * 4, `must have at most ${LONGEST} characters`)
    .refine((value) => value.isWellFormed(), 'is not well-formed Unicode')
    .refine((value) => !value.includes('\0'), 'must not contain control characters')
    .transform(oneSpelling)
    .refine((value) => lengthOf(value) >= SHORTEST, `must have at least ${SHORTEST} characters`)
    .refine((value) => lengthOf(value) <= LONGEST, `must have at most ${LONGEST} characters`);

/** What somebody claims to be their password: nothing is said of it but whether it is right. */
export const givenPassword = () =>
  z
    .string()
    .max(LONGEST * 4, 'is too long')
    .refine((value) => value.isWellFormed(), 'is not well-formed Unicode')
    .refine((value) => !value.includes('\0'), 'must not contain control characters')
    .transform(oneSpelling);

/** WEAK_PASSWORD for what a guesser tries first, who knows the person. */
export function refuseWeak(password: string, { email, name }: { email: string; name?: string }, field = 'password'): void {
  const small = password.toLowerCase();
  const isWeak = COMMON.has(small) || new Set(small).size < MIN_DIFFERENT || isGuessable(small, ownWords(email, name));
  if (isWeak) throw new Problem('WEAK_PASSWORD', 'This password is too easy to guess. Choose another one.', { path: ['input', field] });
}

/** The words that an address and a name are made of. */
const ownWords = (email: string, name = ''): string[] => [
  email,
  email.split('@', 1)[0]!,
  ...email.split(/[^\p{L}]+/u),
  ...name.toLowerCase().split(/[^\p{L}]+/u),
];

export const hashPassword = (password: string): Promise<string> => argon2Hash(password, COST);

/** A hash of no password: checked where there is nothing to check, so that it takes the same time. */
const nobodys = hashPassword('nobody has this password');

/** Checks Argon2 and bcrypt hashes. Without a hash it works as long and says no. */
export async function isRightPassword(hash: string | null | undefined, password: string): Promise<boolean> {
  if (!hash) return (await argon2Verify(await nobodys, password)) && false;
  return isBcrypt(hash) ? bcryptVerify(password, hash) : argon2Verify(hash, password);
}

/** True for a hash that today's rules would not make. */
export function isOutdated(hash: string): boolean {
  if (isBcrypt(hash)) return true;
  const { memoryCost, timeCost, parallelism } = parseOptions(hash);
  return !hash.startsWith('$argon2id$') || memoryCost < COST.memoryCost || timeCost < COST.timeCost || parallelism < COST.parallelism;
}

/** In characters as people count them, nearly: not in halves of them. */
const lengthOf = (value: string): number => Array.from(value).length;

const isBcrypt = (hash: string): boolean => /^\$2[aby]\$/.test(hash);

function oneSpelling(password: string): string {
  return password.normalize('NFKC');
}
