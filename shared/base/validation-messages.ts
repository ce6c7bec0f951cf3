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
 * The message for a value that breaks a rule without a message of its own, as the end of a sentence that begins with the value: zod's messages
 * address programmers. Pass it wherever client input is parsed: `schema.safeParse(value, { error: validationMessage })`.
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

/** The complete sentence of a message that is the end of one. */
export const sentenceOf = (message: string): string =>
  `${/^[a-z]/.test(message) ? `The value ${message}` : message}.`.replace(/\.\.$/, '.');
