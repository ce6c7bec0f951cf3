import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createConnectionTokens, MAX_UNUSED_MS } from './connection-tokens.ts';

/** Larger than most responses. */
const LONG = 'x'.repeat(200_000);

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('forgets an unused token and its operations', () => {
  const tokens = createConnectionTokens();
  const token = tokens.make({ principal: 'p', caller: 'c' });
  const operation = tokens.find(token, 'p')!.startOperation('a', { maxOperations: 1, describe: String });
  const closed = jest.fn();
  operation.closed(closed);
  jest.advanceTimersByTime(MAX_UNUSED_MS - 1);
  expect(tokens.find(token, 'p')).toBeDefined();

  jest.advanceTimersByTime(1);

  expect(tokens.find(token, 'p')).toBeUndefined();
  expect(closed).toHaveBeenCalledTimes(1);
});

test('limits the connections per caller', () => {
  const tokens = createConnectionTokens();
  const ann = { principal: 'ann', caller: 'ann' };
  const made = Array.from({ length: 50 }, () => tokens.make(ann));
  expect(() => tokens.make(ann)).toThrow(expect.objectContaining({ code: 'TOO_MANY_OPERATIONS' }));
  tokens.make({ principal: 'bob', caller: 'bob' });

  tokens.find(made[0]!, 'ann')!.close();

  expect(tokens.make(ann)).not.toBe(made[0]);
});

test('closes a connection whose stream is never opened once too much waits', () => {
  const tokens = createConnectionTokens();
  const token = tokens.make({ principal: 'p', caller: 'c' });
  const connection = tokens.find(token, 'p')!;

  for (let index = 0; index < 30; index += 1) {
    const operation = connection.startOperation(`${index}`, { maxOperations: 1, describe: String });
    operation.send(LONG);
    operation.end();
  }

  expect(tokens.find(token, 'p')).toBeUndefined();
});
