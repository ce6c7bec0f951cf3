import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { validationMessage } from './validation-messages.ts';

test.each<[string, z.ZodType, unknown, string]>([
  ['nothing', z.string(), undefined, 'must be given'],
  ['null', z.string(), null, 'must not be null'],
  ['a number for text', z.string(), 7, 'must be text'],
  ['text for a number', z.number(), '7', 'must be a number'],
  ['a fraction', z.int(), 1.5, 'must be a whole number'],
  ['an object for a list', z.array(z.string()), {}, 'must be a list'],
  ['a list for an object', z.object({}), [], 'must be an object'],
  ['text for a time', z.date(), '2026', 'must be a time'],
  ['what is not among the values', z.enum(['ASC', 'DESC']), 'UP', 'must be ASC or DESC'],
  ['too little', z.number().min(-180), -181, 'must be at least -180'],
  ['too much', z.number().lt(5), 5, 'must be less than 5'],
  ['a text that is too long', z.string().max(2), 'abc', 'must have at most 2 characters'],
  ['a list that is too short', z.array(z.string()).min(1), [], 'must not be empty'],
  ['a text that is too short', z.string().min(2), 'a', 'must have at least 2 characters'],
  ['text of another form', z.string().regex(/^a/), 'b', 'is not acceptable'],
  ['what has words of its own', z.string('must be a name'), 7, 'must be a name'],
])('%s is refused in words for people', (_case, schema, value, message) => {
  expect(schema.safeParse(value, { error: validationMessage }).error?.issues).toMatchObject([{ message }]);
});
