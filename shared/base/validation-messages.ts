import type { z } from 'zod';

const KINDS: Record<string, string> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  date: 'a time',
  array: 'a list',
  object: 'an object',
};
const PARTS: Record<string, string> = { string: 'characters', array: 'entries' };

/**
 * What is wrong with a value, as the end of a sentence that begins with it, for rules that bring no words of their own: those of the library
 * are made for programmers. Given to whatever parses what a client sent: `schema.safeParse(value, { error: wording })`.
 */
export const validationMessage = (issue: z.core.$ZodRawIssue): string => {
  const { input } = issue;
  if (input === undefined) return 'must be given';
  if (input === null) return 'must not be null';
  switch (issue.code) {
    case 'invalid_type':
      return `must be ${KINDS[issue.expected] ?? 'of another kind'}`;
    case 'invalid_value':
      return `must be ${issue.values.map(String).join(' or ')}`;
    case 'too_small':
      if (PARTS[issue.origin] && issue.minimum === 1) return 'must not be empty';
      return bound(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    default:
      return 'is not acceptable';
  }
};

const bound = (origin: string, relation: string, limit: unknown): string =>
  PARTS[origin] ? `must have ${relation} ${String(limit)} ${PARTS[origin]}` : `must be ${relation} ${String(limit)}`;

/** The whole sentence: rules speak the end of one that begins with the value. */
export const sentenceOf = (message: string): string =>
  `${/^[a-z]/.test(message) ? `The value ${message}` : message}.`.replace(/\.\.$/, '.');
