import { expect, test } from '@jest/globals';
import { z } from 'zod';
import type { AnyContext } from './context.ts';
import { Problem, type InputPath } from '../base/errors.ts';
import { mutation } from './mutation.ts';

const ctx = { clearLoaders: () => undefined, audit: () => Promise.resolve() } as unknown as AnyContext;

async function refusedWith(path: InputPath | undefined) {
  const refuse = () => Promise.reject(new Problem('TOO_LONG', 'It is too long.', path && { path }));
  const { userErrors } = await mutation(z.object({}), refuse, { transaction: false })(undefined, { input: {} }, ctx);
  return userErrors;
}

test('an input that does not fit is refused in words for people', async () => {
  const write = mutation(z.object({ size: z.int().max(5) }), async () => ({}), { transaction: false });

  const { userErrors } = await write(undefined, { input: { size: 6 } }, ctx);

  expect(userErrors).toEqual([
    { __typename: 'PlainUserError', code: 'INVALID', message: 'The value must be at most 5.', path: ['input', 'size'] },
  ]);
});

test.each<[string, InputPath | undefined, string[]]>([
  ['with a place in the input says which', ['input', 'parts', 0, 'size'], ['input', 'parts', '0', 'size']],
  ['without a place is about the input as a whole', undefined, ['input']],
  ['with a place in what another subgraph was asked is about the input as a whole', ['parts', 0], ['input']],
])('a refusal %s', async (_case, path, expected) => {
  expect(await refusedWith(path)).toEqual([{ __typename: 'PlainUserError', code: 'TOO_LONG', message: 'It is too long.', path: expected }]);
});
