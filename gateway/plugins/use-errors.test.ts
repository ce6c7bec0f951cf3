import { describe, expect, test } from '@jest/globals';
import { buildSchema, GraphQLError, parse, validate } from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import type { Log } from '#shared/base/log.ts';
import { useErrors } from './use-errors.ts';

const open = (production = false) => {
  const logged: unknown[] = [];
  const log = { error: (facts: unknown) => logged.push(facts) } as unknown as Log;
  return { ...useErrors({ production, log }), logged };
};

test('returns a Problem with its code; masks and logs any other error', () => {
  const { format, logged } = open();
  const bug = new Error('connect ECONNREFUSED 10.0.0.3:27017');

  expect(format(new Problem('FORBIDDEN', 'You may not do this.'), 'corr-1')).toEqual({
    message: 'You may not do this.',
    extensions: { code: 'FORBIDDEN', retryable: false, correlationId: 'corr-1' },
  });
  expect(logged).toEqual([]);
  expect(format(new GraphQLError(bug.message, { originalError: bug, path: ['a', 0] }), 'corr-2')).toEqual({
    message: 'Something went wrong on our side.',
    path: ['a', 0],
    extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, correlationId: 'corr-2' },
  });
  expect(logged).toEqual([{ err: bug, path: ['a', 0], correlationId: 'corr-2' }]);
});

test('adds the correlation id to errors that Apollo Server formats itself', async () => {
  const { format, within } = open();
  const later = (id: string, wait: number) =>
    within(id, async () => {
      await new Promise((resolve) => setTimeout(resolve, wait));
      return format(new Problem('INVALID', 'No.')).extensions?.['correlationId'];
    });

  expect(await Promise.all([later('request-one', 20), later('request-two', 5)])).toEqual(['request-one', 'request-two']);
  expect(format(new Problem('INVALID', 'No.')).extensions?.['correlationId']).toMatch(/^[0-9a-f-]{36}$/);
});

test('keeps a result without errors', () => {
  const data = { a: 1 };

  expect(open().formatResult({ data }, 'corr-1')).toEqual({ data });
});

describe('suggestions', () => {
  const [guess] = validate(buildSchema('type Query { viewer: String }'), parse('{ viewr }')) as [GraphQLError];

  test.each([
    [true, 'Cannot query field "viewr" on type "Query".'],
    [false, 'Cannot query field "viewr" on type "Query". Did you mean "viewer"?'],
  ])('production %s', (production, message) => {
    expect(open(production).format(guess, 'corr-1')).toMatchObject({ message, extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } });
  });
});
