import { expect, test } from '@jest/globals';
import { createBudget } from './budget.ts';

test('releases budget when its time is over, not before', () => {
  let now = 0;
  const budget = createBudget(100, () => now);

  expect(budget.take(60, 90)).toBe(true);
  expect(budget.take(41, 10)).toBe(false);
  expect(budget.take(40, 300)).toBe(true);
  now = 90_000;
  expect(budget.take(1, 10)).toBe(false);
  now = 120_000;
  expect(budget.take(61, 10)).toBe(false);
  expect(budget.take(60, 10)).toBe(true);
  now = 400_000;
  expect(budget.take(100, 10)).toBe(true);
});
