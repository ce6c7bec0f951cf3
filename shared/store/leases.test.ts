import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import { createLeases, createTerm, LostLease, type Leases } from './leases.ts';
import { connectMongo } from './mongo.ts';

const LONG_MS = 60_000;

let client: Connection;
let db: Connection;
let leases: Leases;
let name: string;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
  db = client.useDb(newId('leases'), { useCache: false });
  leases = createLeases(db);
});
beforeEach(() => void (name = newId('work')));
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

const runOut = () => db.collection<{ _id: string }>('leases').updateOne({ _id: name }, { $set: { until: new Date(Date.now() - 1) } });

describe('a lease', () => {
  test('is one owner’s at a time, and its holder’s to prolong', async () => {
    const first = await leases.acquire(name, 'ann', LONG_MS);

    expect(await leases.acquire(name, 'bob', LONG_MS)).toBeUndefined();
    expect(await leases.acquire(name, 'ann', LONG_MS)).toEqual(first);
  });

  test('that has run out goes to one of all who ask at once, with the next token', async () => {
    const { token } = (await leases.acquire(name, 'ann', LONG_MS))!;
    await runOut();

    const asked = await Promise.all(Array.from({ length: 12 }, (_, index) => leases.acquire(name, `owner ${index}`, LONG_MS)));

    expect(asked.filter(Boolean)).toEqual([{ token: token + 1 }]);
  });

  test('that was never held goes to one of all who ask at once', async () => {
    const asked = await Promise.all(Array.from({ length: 12 }, (_, index) => leases.acquire(name, `owner ${index}`, LONG_MS)));

    expect(asked.filter(Boolean)).toHaveLength(1);
  });

  test('is free for others once it is released, and only its holder can release it', async () => {
    await leases.acquire(name, 'ann', LONG_MS);

    await leases.release(name, 'bob');
    expect(await leases.acquire(name, 'bob', LONG_MS)).toBeUndefined();
    await leases.release(name, 'ann');
    expect(await leases.acquire(name, 'bob', LONG_MS)).toBeDefined();
  });
});

describe('a term', () => {
  const TTL_MS = 400;
  const termOf = (holder: string) => createTerm(leases, { name, holder, ttlMs: TTL_MS });

  test('is renewed for as long as the work goes on', async () => {
    const heard: boolean[] = [];

    const worked = await termOf('ann').work(async (check) => {
      const end = Date.now() + 3 * TTL_MS;
      while (Date.now() < end) {
        heard.push(await termOf('bob').work(async () => undefined));
        await delay(40);
      }
      await check();
    });

    expect(worked).toBe(true);
    expect(new Set(heard)).toEqual(new Set([false]));
  });

  test('that somebody else took ends the work at its next write, also when they have gone again', async () => {
    const working = termOf('ann').work(async (check) => {
      await runOut();
      const other = await leases.acquire(name, 'bob', 1);
      expect(other).toBeDefined();
      await delay(TTL_MS);
      await check();
    });

    await expect(working).rejects.toBeInstanceOf(LostLease);
  });
});
