import { dropDatabases } from '#shared/testing/drop-databases.ts';
import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import { openHost } from '#shared/runtime/host.ts';
import { jobRunsOf } from '#shared/jobs/store.ts';
import { outboxOf } from '#shared/messaging/outbox.ts';
import { sagasOf } from '#shared/sagas/store.ts';
import { connectMongo } from '#shared/store/mongo.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { viewer } from '#shared/testing/open.ts';
import { Died, openNursery, type Child, type Nursery } from './test-child.ts';
import { fillMarket, type Market } from './test-market.ts';
import { loadSubgraphs } from './test-subgraphs.ts';
import { faultsOf, liveFaults } from './test-truth.ts';

/** A market whose process may die at any moment: its stores outlive it, and the next process goes on with them. */
export interface Crashing {
  market: Market;
  db(subgraph: string): Connection;
  /** The process at work. */
  child(): Child;
  /** Starts the next process and opens the market in it; when it dies of its opening, that is no error here. */
  restart(opening?: { crashAt?: string; aheadMs?: number }): Promise<void>;
  /** How many sagas are not at their end. */
  openSagas(): Promise<number>;
  /** Waits until every event and every job has had its effects; answers how long that took. */
  settled(patienceMs: number): Promise<number>;
  faults(): Promise<string[]>;
  close(): Promise<void>;
}

const POLL_MS = 200;

export async function openCrashing(): Promise<Crashing> {
  const run = `c${randomBytes(6).toString('hex')}`;
  const subgraphs = await loadSubgraphs();
  const market = await setUp(subgraphs, run);
  const client = await connectMongo(process.env['MONGODB_URI']!);
  const redis = new Redis(process.env['REDIS_URL']!);
  const db = (name: string): Connection => client.useDb(`${run}_${name}`, { useCache: true });
  const nursery: Nursery = openNursery({ NODE_ENV: 'test', DATABASE_PREFIX: `${run}_`, REDIS_PREFIX: run });
  let child = await nursery.take();
  await child.call('open', {});

  return {
    market,
    db,
    child: () => child,
    async restart(opening = {}) {
      child = await nursery.take();
      await child.call('open', opening).catch((error) => {
        if (!(error instanceof Died && opening.crashAt)) throw error;
      });
    },
    openSagas: () => sagasOf(db('orders')).countDocuments({ state: { $in: ['RUNNING', 'COMPENSATING', 'WAITING'] } }),
    async settled(patienceMs) {
      const since = performance.now();
      for (;;) {
        const counts = subgraphs.flatMap(({ name }) => [
          outboxOf(db(name)).countDocuments({ state: { $in: ['NEW', 'SENT'] } }),
          // One that failed and waits for its next attempt is on its way too; the runs of schedules go on for ever.
          jobRunsOf(db(name)).countDocuments({ state: { $in: ['QUEUED', 'RUNNING'] }, trigger: 'ENQUEUED' }),
        ]);
        if ((await Promise.all(counts)).every((count) => count === 0)) return performance.now() - since;
        if (performance.now() - since > patienceMs)
          throw new Error(`events are still on their way: ${(await faultsOf(db, subgraphs)).join('; ')}`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },
    faults: async () => [...(await faultsOf(db, subgraphs)), ...(await liveFaults(db, subgraphs, { redis, prefix: run }))],
    async close() {
      await nursery.close();
      await dropDatabases(subgraphs.map(({ name }) => db(name)));
      const keys = await redis.keys(`${run}:*`);
      if (keys.length > 0) await redis.unlink(...keys);
      redis.disconnect();
      await client.close();
    },
  };
}

/** Fills the stores from this process, and leaves. */
async function setUp(subgraphs: Subgraph[], run: string): Promise<Market> {
  const host = await openHost(subgraphs, {
    mongodbUri: process.env['MONGODB_URI']!,
    redisUrl: process.env['REDIS_URL']!,
    databasePrefix: `${run}_`,
    redisPrefix: run,
    environment: { NODE_ENV: 'test' },
  });
  try {
    return await fillMarket(host, { grocer: viewer('usr_grocer'), tailor: viewer('usr_tailor'), tokyo: viewer('usr_tokyo') });
  } finally {
    await host.close();
  }
}
