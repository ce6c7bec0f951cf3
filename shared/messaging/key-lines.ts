import type { Redis } from 'ioredis';
import type { Delivery } from './queues.ts';

/*
 * The events of one key that one consumer has not handled stand in a line: a sorted set by sequence, with their deliveries beside it. Only
 * the first of a line is a job on the queue; the consumer goes on with the next when it has handled the first. What Redis loses, the outbox sends
 * again, since each event stays unacknowledged until it is handled.
 */

/** A place in a line. `jobKey` is the Redis key of the event's job on the queue. */
interface Place {
  consumer: string;
  key: string;
  id: string;
  sequence: number;
  jobKey: string;
  delivery: Delivery;
}

/** Takes a place; 1 when it is the first of the line. An event with a job and without a place has left the line: it takes none again. */
const JOIN = `
if not redis.call('ZSCORE', KEYS[1], ARGV[1]) then
  if redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
end
return redis.call('ZRANGE', KEYS[1], 0, 0)[1] == ARGV[1] and 1 or 0`;

/**
 * Leaves the line, and acknowledges the event when one is given, in one moment: a place that is left behind would hold up its line for ever.
 * Returns the delivery that is first then.
 */
const LEAVE = `
if ARGV[2] ~= '' then redis.call('SADD', KEYS[3], ARGV[2]) end
if redis.call('ZREM', KEYS[1], ARGV[1]) == 0 then return false end
redis.call('HDEL', KEYS[2], ARGV[1])
local first = redis.call('ZRANGE', KEYS[1], 0, 0)[1]
return first and redis.call('HGET', KEYS[2], first)`;

export function createKeyLines(redis: Redis, prefix: string) {
  const keysOf = (consumer: string, key: string): [string, string] => {
    const line = `${prefix}:line:${consumer}:${key}`;
    return [line, `${line}:deliveries`];
  };

  return {
    /** True for each place that is the first of its line: its job may be added. */
    async join(places: readonly Place[]): Promise<boolean[]> {
      const pipeline = redis.pipeline();
      for (const { consumer, key, id, sequence, jobKey, delivery } of places)
        pipeline.eval(JOIN, 3, ...keysOf(consumer, key), jobKey, id, sequence, JSON.stringify(delivery));
      const results = (await pipeline.exec()) ?? [];
      return results.map(([error, first]) => {
        if (error) throw error;
        return first === 1;
      });
    },
    /** Leaves a line; returns the delivery that is the first then. `acknowledgement`: the Redis set and what is added to it. */
    async leave(
      { consumer, key, id }: Pick<Place, 'consumer' | 'key' | 'id'>,
      acknowledgement: readonly [set: string, entry: string] = ['', ''],
    ): Promise<Delivery | undefined> {
      const [set, entry] = acknowledgement;
      const first = (await redis.eval(LEAVE, 3, ...keysOf(consumer, key), set, id, entry)) as string | null;
      return first ? (JSON.parse(first) as Delivery) : undefined;
    },
  };
}
