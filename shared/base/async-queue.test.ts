import { expect, jest, test } from '@jest/globals';
import { createAsyncQueue } from './async-queue.ts';

function open(limit = 3) {
  const onDone = jest.fn();
  return { onDone, ...createAsyncQueue<string>({ limit, overflow: () => 'too slow', onDone }) };
}

async function all(values: AsyncIterable<string>): Promise<string[]> {
  const seen: string[] = [];
  for await (const value of values) seen.push(value);
  return seen;
}

test('gives values in the order they came, whether they were waited for or not', async () => {
  const { push, end, values } = open();
  const early = values.next();

  push('a');
  push('b');
  end('c');
  push('after the end');

  await expect(early).resolves.toEqual({ done: false, value: 'a' });
  expect(await all(values)).toEqual(['b', 'c']);
});

test('ends a waiting reader', async () => {
  const { end, values, onDone } = open();
  const next = values.next();

  end();

  await expect(next).resolves.toEqual({ done: true, value: undefined });
  expect(onDone).toHaveBeenCalledTimes(1);
});

test('tells the source once that the reader has left', async () => {
  const { push, values, onDone } = open();
  push('a');

  await values.return();
  await values.return();

  expect(await all(values)).toEqual([]);
  expect(onDone).toHaveBeenCalledTimes(1);
});

test('drops a reader who is too slow and says so', async () => {
  const { push, values, onDone } = open(2);

  for (const value of ['a', 'b', 'c']) push(value);

  expect(await all(values)).toEqual(['too slow']);
  expect(onDone).toHaveBeenCalledTimes(1);
});
