import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { healthReport } from './health.ts';

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

test('reports each dependency by itself', async () => {
  const report = healthReport('notes', {
    store: async () => 'up',
    cache: () => Promise.reject(new Error('gone')),
    queue: () => new Promise(() => undefined),
  });
  await jest.advanceTimersByTimeAsync(2_000);

  expect(await report).toEqual({
    status: 'degraded',
    service: 'notes',
    uptime: expect.any(Number),
    timestamp: new Date().toISOString(),
    checks: { store: 'up', cache: 'down', queue: 'down' },
  });
});

test('is well without dependencies', async () => {
  expect(await healthReport('notes', {})).toMatchObject({ status: 'ok', checks: {} });
});
