import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from '@jest/globals';
import { createTickLimiter } from './tick-limiter.ts';

function begin(count: number, most: number) {
  const turn = createTickLimiter(most);
  const begun: number[] = [];
  const start = async (index: number): Promise<void> => {
    await turn();
    begun.push(index);
  };
  return { begun, start, all: Promise.all(Array.from({ length: count }, (_, index) => start(index))) };
}

test('runs `max` tasks at once and the others tick by tick, in order', async () => {
  const { begun, all } = begin(25, 10);
  await Promise.resolve();
  expect(begun.length).toBe(10);

  await nextTurn();
  expect(begun.length).toBe(20);

  await all;
  expect(begun).toEqual(Array.from({ length: 25 }, (_, index) => index));
});

test('keeps new tasks behind waiting ones', async () => {
  const { begun, start, all } = begin(12, 10);
  await Promise.resolve();

  const late = start(12);
  await Promise.all([all, late]);

  expect(begun).toEqual(Array.from({ length: 13 }, (_, index) => index));
});

test('runs tasks at once again after an idle tick', async () => {
  const { begun, start, all } = begin(10, 10);
  await all;
  await nextTurn();
  await nextTurn();

  const soon = start(10);
  await Promise.resolve();

  expect(begun.length).toBe(11);
  await soon;
});
