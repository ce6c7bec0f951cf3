import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { z } from 'zod';
import { Problem } from '../base/errors.ts';
import { defineSettings, setting } from '../kit/define-settings.ts';
import { defineLimit } from './define-limit.ts';
import { createLimits, type Limits } from './limits.ts';
import { createMemoryCounter } from './memory-counter.ts';

const all = defineLimit('all', { points: 3, windowSeconds: 60 });
const failures = defineLimit('failures', { points: 3, windowSeconds: 60, count: 'FAILURES', fallbackShare: 0.5 });
const { most } = defineSettings('boards', { most: setting(z.int(), { default: 2, description: 'Boards an hour.' }) });
const bySetting = defineLimit('by-setting', { points: most, times: 2, windowSeconds: 60 });
const short = defineLimit('short', { points: 1, windowSeconds: 1 });

let redis: Redis;
let prefix: string;
let limits: Limits;
let value = 2;
const settings = { get: async () => value } as never;

beforeEach(async () => {
  prefix = `t${randomBytes(6).toString('hex')}`;
  redis = new Redis(process.env['REDIS_URL']!, { maxRetriesPerRequest: 1 });
  redis.on('error', () => undefined);
  await redis.ping();
  limits = createLimits({ redis, prefix, settings });
});
afterEach(() => void (redis.status !== 'end' && redis.disconnect()));

const outcomes = async (works: (() => Promise<unknown>)[]): Promise<unknown[]> => {
  const found: unknown[] = [];
  for (const work of works) found.push(await work().catch((error: Problem) => error.code ?? error.message));
  return found;
};
const times = <T>(count: number, work: () => Promise<T>) => Array.from({ length: count }, () => work);
const RATE_LIMITED = 'RATE_LIMITED';

test('consume counts each key on its own, and says when to come again', async () => {
  expect(await outcomes(times(4, () => limits.consume(all, 'a')))).toEqual([undefined, undefined, undefined, RATE_LIMITED]);
  expect(await outcomes(times(1, () => limits.consume(all, 'b')))).toEqual([undefined]);

  const refusal = await limits.consume(all, 'a').catch((error: Problem) => error);
  expect(refusal).toMatchObject({ code: RATE_LIMITED, retryable: true });
  const { retryAfterSeconds } = (refusal as Problem).facts as { retryAfterSeconds: number };
  expect(retryAfterSeconds).toBeGreaterThan(30);
  expect(retryAfterSeconds).toBeLessThanOrEqual(60);
});

test('processes count together, and of many at once no more than the points go through', async () => {
  const other = createLimits({ redis, prefix, settings });
  const results = await Promise.allSettled(
    [limits, other].flatMap((each) => times(10, () => each.consume(all, 'a')).map((work) => work())),
  );

  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3);
});

test('attempt keeps the points of failures only: null, false and errors that are no refusal', async () => {
  const right = () => limits.attempt(failures, ['a', 'b'], async () => 'yes');
  const refused = () => limits.attempt(failures, 'a', () => Promise.reject(new Problem('CLOSED', 'Closed.')));
  expect(await outcomes([...times(10, right), ...times(5, refused)])).toEqual([
    ...times(10, async () => 0).map(() => 'yes'),
    ...Array(5).fill('CLOSED'),
  ]);

  const works = [async () => null, async () => false, () => Promise.reject(new Error('broken'))];
  expect(await outcomes(works.map((work) => () => limits.attempt<unknown>(failures, 'a', work)))).toEqual([null, false, 'broken']);
  let isRun = false;
  expect(await outcomes([() => limits.attempt(failures, ['b', 'a'], async () => (isRun = true))])).toEqual([RATE_LIMITED]);
  expect(isRun).toBe(false);
  // The key that had points left got its own back.
  expect([await limits.used(failures, 'a'), await limits.used(failures, 'b')]).toEqual([3, 0]);
});

test('an attempt waits a moment for the points of right ones under way', async () => {
  const running = times(6, () => limits.attempt(failures, 'a', () => new Promise((resolve) => setTimeout(resolve, 20, 'yes')))).map(
    (work) => work(),
  );

  expect(await Promise.all(running)).toEqual(Array(6).fill('yes'));
});

test('the points can be a setting, and follow it at once', async () => {
  expect(await outcomes(times(5, () => limits.consume(bySetting, 'a')))).toEqual([
    undefined,
    undefined,
    undefined,
    undefined,
    RATE_LIMITED,
  ]);
  value = 3;
  expect(await outcomes(times(3, () => limits.consume(bySetting, 'a')))).toEqual([undefined, undefined, RATE_LIMITED]);
  value = 2;
});

test('a window ends', async () => {
  expect(await outcomes(times(2, () => limits.consume(short, 'a')))).toEqual([undefined, RATE_LIMITED]);
  for (;;) if ((await limits.used(short, 'a')) === 0) break;
  expect(await outcomes(times(1, () => limits.consume(short, 'a')))).toEqual([undefined]);
});

test('without Redis a process counts for itself, a share of the points, and gives back as before', async () => {
  redis.disconnect();

  expect(await outcomes(times(5, () => limits.attempt(failures, 'a', async () => 'yes')))).toEqual(Array(5).fill('yes'));
  expect(await outcomes(times(3, () => limits.attempt(failures, 'a', async () => null)))).toEqual([null, null, RATE_LIMITED]);
  expect(await limits.used(failures, 'a')).toBe(2);
  expect(await outcomes(times(3, () => limits.consume(all, 'b')))).toEqual([undefined, undefined, RATE_LIMITED]);
});

test('the counts of a process are bounded: the key that was not used longest is forgotten', () => {
  const counter = createMemoryCounter();
  counter.take('first', 1, 60);
  for (let index = 0; index < 10_000; index += 1) counter.take(`key ${index}`, 1, 60);

  expect(counter.used('first')).toBe(0);
  expect(counter.used('key 9999')).toBe(1);
});
