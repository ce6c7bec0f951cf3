import { domainToASCII } from 'node:url';
import { parsePhoneNumberFromString } from 'libphonenumber-js';
import { z } from 'zod';
import { isCountry } from './countries.ts';
import { codeText, keptText } from './text.ts';

interface Length {
  min?: number;
  max?: number;
}

const MAX_ENTRIES = 250;
const MAX_QUANTITY = 10_000;

// The separators of lines and paragraphs end a line as \n does.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const CONTROL_BUT_LINES = /[^\P{Cc}\n\t]/u;
const LINE_ENDS = /\r\n|[\u2028\u2029]/g;
/** More marks on one letter than Unicode's stream-safe text has (UAX #15); thousands take a second to put in order. */
const PILED_MARKS = /\p{M}{31}/u;
// These turn the reading direction around: the usual way to make one name look like another.
const DIRECTION = /[\u202A-\u202E\u2066-\u2069]/u;

/** One line from a person, as `keptText` spells it: 0 to 1,000 characters, no control characters, no broken Unicode. */
export const text = ({ min = 0, max = 1_000 }: Length = {}) => clean(CONTROL, max).transform(keptText).pipe(length(min, max));

/** A short name that is typed here and compared there: one line, equal whatever the width of its letters. Case counts. */
export const code = ({ min = 1, max = 64 }: Length = {}) => clean(CONTROL, max).transform(codeText).pipe(length(min, max));

/** Many lines from a person, at most 10,000 characters; line ends become \n. */
export const longText = ({ min = 0, max = 10_000 }: Length = {}) =>
  z
    .string()
    .overwrite((value) => value.replaceAll(LINE_ENDS, '\n'))
    .pipe(clean(CONTROL_BUT_LINES, max))
    .transform(keptText)
    .pipe(length(min, max));

/** At most 250 entries. */
export const list = <T extends z.ZodType>(entry: T, { min = 0, max = MAX_ENTRIES }: Length = {}) =>
  z
    .array(z.unknown())
    .min(min, `must have at least ${min} entries`)
    .max(max, `must have at most ${max} entries`)
    // Counted before any entry is looked at: a refusal must stay cheap.
    .pipe(z.array(entry));

/** A whole number from 1 to 10,000. */
export const quantity = () =>
  z.int('must be a whole number').min(1, 'must be at least 1').max(MAX_QUANTITY, `must be at most ${MAX_QUANTITY}`);

// RFC 5322's dot-atom. `=?` begins an encoded word, which some mailers read as another address.
const LOCAL_PART = /^(?!.*=\?)[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*$/;
// Anything else would be read as more of a URL than its host.
const DOMAIN_LETTERS = /^[\p{L}\p{M}\p{N}.-]+$/u;
const DOMAIN = /^(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)+(?:[a-z]{2,63}|xn--[a-z\d-]{0,58}[a-z\d])$/;

/**
 * One spelling for one mailbox: compatibility forms unified, small letters, a domain of other letters as the network knows it (`xn--`), so
 * that it looks like no other. Names outside ASCII before the `@`, and quoted ones, are refused.
 */
export const email = () =>
  clean(CONTROL, 320).transform((value, ctx) => {
    const [, local = '', domain = ''] = /^([^@]{1,64})@([^@]+)$/.exec(value.normalize('NFKC').trim().toLowerCase()) ?? [];
    const network = DOMAIN_LETTERS.test(domain) ? domainToASCII(domain) : '';
    const address = `${local}@${network}`;
    if (LOCAL_PART.test(local) && DOMAIN.test(network) && address.length <= 254) return address;
    ctx.addIssue({ code: 'custom', message: 'must be an e-mail address' });
    return z.NEVER;
  });

/** A country of ISO 3166-1. */
export const country = () => z.string().refine(isCountry, 'must be a country code of ISO 3166-1 in two capital letters, such as ZM');

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
  clean(CONTROL, 2_000).pipe(
    z.url({ protocol: /^https?$/, normalize: true, error: 'must be an address that begins with https:// or http://' }),
  );

/** A decimal number as text, without an exponent: what the scalar Decimal accepts. */
export const decimal = () => z.string().regex(/^-?\d{1,20}(?:\.\d{1,18})?$/, 'must be a decimal number such as 12.50');

/** Refuses what storing, comparing or showing would change: lone surrogates, NUL and its kin, reversed direction. */
const clean = (forbidden: RegExp, max: number) =>
  z
    .string()
    .max(max * 2 + 100, `must have at most ${max} characters`)
    .refine((value) => value.isWellFormed(), 'is not well-formed Unicode')
    .refine((value) => !forbidden.test(value), 'must not contain control characters')
    .refine((value) => !PILED_MARKS.test(value), 'must not have more than 30 marks on one letter')
    .refine((value) => !DIRECTION.test(value), 'must not contain characters that turn the direction of the text');

const length = (min: number, max: number) =>
  z
    .string()
    .min(min, min === 1 ? 'must not be empty' : `must have at least ${min} characters`)
    .max(max, `must have at most ${max} characters`);
