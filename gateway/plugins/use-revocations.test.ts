import { afterAll, afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Log } from '#shared/base/log.ts';
import { useRevocations } from './use-revocations.ts';

const redis = new Redis(process.env['REDIS_URL']!);
const lost = new Redis({ port: 1, lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
lost.on('error', () => undefined);
afterAll(() => [redis, lost].forEach((each) => each.disconnect()));

afterEach(() => void jest.restoreAllMocks());

let prefix: string;
const warnings: unknown[] = [];
const log = { warn: (facts: unknown) => warnings.push(facts) } as unknown as Log;
beforeEach(() => {
  prefix = `test-${randomUUID()}:`;
});

test('knows the sessions that were ended, and no others', async () => {
  await redis.set(`${prefix}sessions:revoked:ses_1`, '1', 'PX', 60_000);
  const isRevoked = useRevocations({ redis, prefix, log });

  expect(await isRevoked('ses_1')).toBe(true);
  expect(await isRevoked('ses_2')).toBe(false);
});

test('looks a session up once for many requests', async () => {
  let asked = 0;
  const counting = { exists: (key: string) => (asked++, redis.exists(key)) };
  const isRevoked = useRevocations({ redis: counting, prefix, log });

  await Promise.all(Array.from({ length: 50 }, () => isRevoked('ses_1')));

  expect(asked).toBe(1);
});

test('sees a session end within two seconds', async () => {
  const isRevoked = useRevocations({ redis, prefix, log });
  expect(await isRevoked('ses_1')).toBe(false);
  await redis.set(`${prefix}sessions:revoked:ses_1`, '1', 'PX', 60_000);

  jest.spyOn(performance, 'now').mockReturnValue(performance.now() + 2_001);

  expect(await isRevoked('ses_1')).toBe(true);
});

test('accepts sessions and warns when Redis does not respond', async () => {
  const isRevoked = useRevocations({ redis: lost, prefix, log });

  expect(await isRevoked('ses_1')).toBe(false);
  expect(warnings).toHaveLength(1);
});
