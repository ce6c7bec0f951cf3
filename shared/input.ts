import { parsePhoneNumberFromString } from 'libphonenumber-js';
import { z } from 'zod';

interface Length {
  min?: number;
  max?: number;
}

const MOST_ENTRIES = 250;
const MOST_QUANTITY = 10_000;

const CONTROL = /\p{Cc}/u;
const CONTROL_BUT_LINES = /[^\P{Cc}\n\t]/u;
// These turn the reading direction around: the usual way to make one name look like another.
const DIRECTION = /[\u202A-\u202E\u2066-\u2069]/u;

/** One line from a person: trimmed, 0 to 1,000 characters, no control characters, no broken Unicode. */
export const text = ({ min = 0, max = 1_000 }: Length = {}) =>
  clean(CONTROL, max)
    .transform((value) => value.trim())
    .pipe(length(min, max));

/** Many lines from a person, at most 10,000 characters; line ends become \n. */
export const longText = ({ min = 0, max = 10_000 }: Length = {}) =>
  z
    .string()
    .overwrite((value) => value.replaceAll('\r\n', '\n'))
    .pipe(clean(CONTROL_BUT_LINES, max))
    .transform((value) => value.trim())
    .pipe(length(min, max));

/** At most 250 entries. */
export const list = <T extends z.ZodType>(entry: T, { min = 0, max = MOST_ENTRIES }: Length = {}) =>
  z
    .array(z.unknown())
    .min(min, `must have at least ${min} entries`)
    .max(max, `must have at most ${max} entries`)
    // Counted before any entry is looked at: a refusal must stay cheap.
    .pipe(z.array(entry));

/** A whole number from 1 to 10,000. */
export const quantity = () =>
  z.int('must be a whole number').min(1, 'must be at least 1').max(MOST_QUANTITY, `must be at most ${MOST_QUANTITY}`);

/** One spelling for one mailbox: compatibility forms unified, small letters. Addresses outside ASCII are refused. */
export const email = () =>
  clean(CONTROL, 320)
    .transform((value) => value.normalize('NFKC').trim().toLowerCase())
    .pipe(z.email('must be an e-mail address').max(254, 'must be an e-mail address'));

/** An international number, however it is spaced; kept as E.164 (`+260971234567`). */
export const phone = () =>
  clean(CONTROL, 40).transform((value, ctx) => {
    const number = value.trim().startsWith('+') ? parsePhoneNumberFromString(value, { extract: false }) : undefined;
    if (number?.isValid() && !number.ext) return number.number as string;
    ctx.addIssue({ code: 'custom', message: 'must be a phone number with its country code, such as +260971234567' });
    return z.NEVER;
  });

/** The part of an address that names a thing: `red-clay-pots`. */
export const slug = () =>
  z
    .string()
    .max(100, 'must have at most 100 characters')
    .regex(/^[a-z0-9]+(?:-[a-z0-9]+)*$/, 'must be small letters, digits and single dashes');

/** Chosen by the caller, once for each thing that must happen once. */
export const idempotencyKey = () => z.string().regex(/^[\x21-\x7E]{8,128}$/, 'must be 8 to 128 printable ASCII characters without spaces');

/** An address on the web; others (`javascript:`, `file:`) are refused. */
export const webAddress = () =>
  clean(CONTROL, 2_000).pipe(z.url({ protocol: /^https?$/, error: 'must be an address that begins with https:// or http://' }));

/** A decimal number as text, without an exponent: what the scalar Decimal accepts. */
export const decimal = () => z.string().regex(/^-?\d{1,20}(?:\.\d{1,18})?$/, 'must be a decimal number such as 12.50');

/** Refuses what storing, comparing or showing would change: lone surrogates, NUL and its kin, reversed direction. */
const clean = (forbidden: RegExp, max: number) =>
  z
    .string()
    .max(max * 2 + 100, `must have at most ${max} characters`)
    .refine((value) => value.isWellFormed(), 'is not well-formed Unicode')
    .refine((value) => !forbidden.test(value), 'must not contain control characters')
    .refine((value) => !DIRECTION.test(value), 'must not contain characters that turn the direction of the text');

const length = (min: number, max: number) =>
  z
    .string()
    .min(min, min === 1 ? 'must not be empty' : `must have at least ${min} characters`)
    .max(max, `must have at most ${max} characters`);
