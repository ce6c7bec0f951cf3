import type { Redis } from 'ioredis';
import { invalidateTags } from '../cache/cache-tags.ts';
import { settingsChannel, settingsTags } from './change-tags.ts';

/**
 * Has every process look at the values of a scope again, at once. For the subgraph that stores them, after a commit; the cache tags of its
 * events do the same, reliably but later.
 */
export async function announceSettings({ redis, redisPrefix }: { redis: Redis; redisPrefix: string }, scope: string): Promise<void> {
  await invalidateTags(redis, redisPrefix, settingsTags(scope));
  await redis.publish(settingsChannel(redisPrefix), '');
}
