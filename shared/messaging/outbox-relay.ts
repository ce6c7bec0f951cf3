import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { createTerm, LostLease, type Leases } from '../store/leases.ts';
import type { Live } from '../live/live.ts';
import { envelopeOf, outboxOf, type OutboxRow } from './outbox.ts';
import { createOvertaking, type Overtaking } from './outbox-overtaking.ts';
import { createPast, Wiped } from './redis-refill.ts';
import type { Queues } from './queues.ts';
import { changeOf, checked, groupByQueue, noted } from './outbox-writes.ts';
import { renewTags } from '../cache/cache-tags.ts';
import { inTransaction } from '../store/mongo.ts';

interface RelayOptions {
  subgraph: string;
  owner: string;
  db: Connection;
  redis: Redis;
  prefix: string;
  queues: Pick<Queues, 'add'>;
  live: Live;
  leases: Leases;
  log: Logger;
  /** How long the lease lasts without a sign of life; default 5 s. */
  leaseMs?: number;
  /** How many rows one turn takes; default 200. */
  batch?: number;
}

const POLL_MS = 1_000;
const LEASE_MS = 5_000;
const BATCH = 200;
/** So many batches are read at once: a store that sorts before it limits is asked less often. */
const READ_AHEAD = 5;
/** A transaction that lost against another one is begun again for this long. */
const NOTING_MS = 5_000;
/** While there is a backlog, the newest events are looked at this often, and for at most a fifth of the time: some stores read them all. */
const OVERTAKING_MS = 500;
const OVERTAKING_REST = 4;

/** Before each write: throws when this relay may not write any more. */
type Check = () => Promise<void>;

/** Where a process marks in Redis that all of a subgraph's past is there. */
export const epochKey = (prefix: string, subgraph: string): string => `${prefix}:epoch:${subgraph}`;

/**
 * Carries a subgraph's outbox to the queues and live topics, in the order of the rows. One process at a time, by lease, so that the order
 * on a topic is the order of the commits. The rows are the truth: whatever Redis loses is sent again until each consumer has acknowledged it.
 * New events, acknowledgements and what is overdue take turns, a batch each: none waits for another to come to its end.
 */
export function createRelay(options: RelayOptions) {
  const { subgraph, owner, db, redis, prefix, queues, live, leases, log } = options;
  const size = options.batch ?? BATCH;
  const rows = outboxOf(db);
  const acks = `${prefix}:acks:${subgraph}`;
  const epoch = epochKey(prefix, subgraph);
  const kicks = `${prefix}:kick:${subgraph}`;
  const term = createTerm(leases, { name: 'relay', owner, ttlMs: options.leaseMs ?? LEASE_MS });
  const past = createPast({ db, redis, live, epoch, filling: `${prefix}:filling:${subgraph}`, owner });
  /** NEW rows that were read and not sent yet; good for as long as the lease is held without a break. */
  let fresh: OutboxRow[] = [];
  /** The last read did not come to the end of them. */
  let isMoreUnread = false;
  /** What it knows of a backlog; good for as long. */
  let overtaking: Overtaking | undefined;
  /** When the newest rows are looked at next, in ms of a clock that only goes on. */
  let overtakesAt = 0;
  let running: Promise<void> | undefined;
  let again = false;
  let thoroughly = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  /** The next batch; true when there may be more. */
  async function sendNew(check: Check): Promise<boolean> {
    if (fresh.length === 0) {
      const limit = READ_AHEAD * size;
      fresh = await rows.find({ state: 'NEW' }).sort({ _id: 1 }).limit(limit).toArray();
      isMoreUnread = fresh.length === limit;
    }
    const batch = fresh.splice(0, size);
    if (batch.length > 0) await send(batch, check);
    return fresh.length > 0 || isMoreUnread || batch.length === size;
  }

  async function sendAllNew(check: Check): Promise<boolean> {
    const more = await sendNew(check);
    if (more) await sendNewest(check);
    else overtaking = undefined;
    return more;
  }

  /** The newest events do not wait for the end of a backlog that they have nothing to do with. */
  async function sendNewest(check: Check): Promise<void> {
    const since = performance.now();
    if (since < overtakesAt) return;
    overtaking ??= createOvertaking(db);
    const newest = await overtaking.next();
    const ids = new Set(newest.map(({ _id }) => _id));
    fresh = fresh.filter(({ _id }) => !ids.has(_id));
    if (newest.length > 0) await send(newest, check);
    const now = performance.now();
    overtakesAt = now + Math.max(OVERTAKING_MS, OVERTAKING_REST * (now - since));
  }

  async function send(batch: OutboxRow[], check: Check): Promise<void> {
    await check();
    // First, so that whoever hears of a change and asks is not given what was kept before.
    await renewTags(
      redis,
      prefix,
      batch.flatMap(({ tags = [] }) => tags),
    );
    const { cursors, count, failure } = await publish(batch);
    const published = batch.slice(0, count);
    overtaking?.forget(published.map(({ _id }) => _id));
    await check();
    await enqueue(published);
    if (published.length > 0) {
      await check();
      const at = Date.now();
      await note(noted(published.map((row, index) => ({ _id: row._id, change: changeOf(row, cursors[index]!, at) }))));
    }
    if (failure !== undefined) throw failure;
  }

  /** Each topic in the order of the rows. What comes after a row that failed counts as not published: repeated, it keeps its cursor. */
  async function publish(batch: OutboxRow[]): Promise<{ cursors: Record<string, string>[]; count: number; failure: unknown }> {
    const cursors = batch.map((): Record<string, string> => ({}));
    const byTopic = new Map<string, number[]>();
    batch.forEach(({ topics }, index) => {
      for (const topic of topics) byTopic.set(topic, [...(byTopic.get(topic) ?? []), index]);
    });
    let count = batch.length;
    let failure: unknown;
    const fill = async (topic: string, indexes: number[]): Promise<void> => {
      for (const index of indexes) {
        if (index >= count) return;
        const row = batch[index]!;
        try {
          const cursor = await live.publishWhile(epoch, topic, { eventId: row._id, payload: envelopeOf(row) });
          if (cursor === undefined) throw new Wiped();
          cursors[index]![topic] = cursor;
        } catch (error) {
          if (index >= count) return;
          count = index;
          failure = error;
        }
      }
    };
    await Promise.all([...byTopic].map(([topic, indexes]) => fill(topic, indexes)));
    return { cursors, count, failure };
  }

  /** Several writes are made durable together, which costs a fifth of one after the other. */
  const note = (writes: ReturnType<typeof noted>): Promise<unknown> =>
    writes.length === 1
      ? rows.bulkWrite(writes)
      : inTransaction(db, (session) => rows.bulkWrite(writes, { session }), Date.now() + NOTING_MS);

  async function enqueue(batch: OutboxRow[]): Promise<void> {
    const names = new Set(batch.flatMap(({ waiting }) => waiting));
    const waitingFor = (name: string) => batch.filter(({ waiting }) => waiting.includes(name)).map(envelopeOf);
    await Promise.all([...names].map((name) => queues.add(name, waitingFor(name), subgraph)));
  }

  /** Notes a batch of effects; true when there may be more. */
  async function takeAcknowledgements(check: Check): Promise<boolean> {
    await check();
    const taken = await redis.spop(acks, size);
    if (taken.length === 0) return false;
    try {
      await check();
      for (const [queue, ids] of groupByQueue(taken)) await acknowledge(queue, ids);
    } catch (error) {
      await redis.sadd(acks, ...taken).catch(() => undefined);
      throw error;
    }
    return taken.length === size;
  }

  /** One write, and a second one only for what other queues wait for too, or what was not noted as sent yet. */
  async function acknowledge(queue: string, ids: string[]): Promise<void> {
    const last = { _id: { $in: ids }, state: 'SENT' as const, waiting: [queue] };
    const { matchedCount } = await rows.updateMany(last, { $set: { waiting: [], state: 'DONE', doneAt: new Date() } });
    if (matchedCount < ids.length) await rows.updateMany({ _id: { $in: ids }, waiting: queue }, { $pull: { waiting: queue } });
  }

  /** Puts a batch of what nobody has acknowledged in time on its queues again; true when there may be more. */
  async function sendAgain(check: Check): Promise<boolean> {
    const overdue = await rows
      .find({ state: 'SENT', checkAt: { $lte: new Date() } })
      .sort({ checkAt: 1 })
      .limit(size)
      .toArray();
    if (overdue.length === 0) return false;
    await check();
    await enqueue(overdue);
    await check();
    await rows.bulkWrite(checked(overdue));
    return overdue.length === size;
  }

  /** A batch of everything, or of what is new only; true when there may be more. */
  async function turn(thorough: boolean, check: Check): Promise<boolean> {
    if (thorough) await past.refillAfterWipe(check);
    const more = await sendAllNew(check).catch((error) => {
      if (!(error instanceof Wiped)) throw error;
      thoroughly = true;
      fresh = [];
      overtaking = undefined;
      return true;
    });
    if (!thorough) return more;
    const isAcknowledging = await takeAcknowledgements(check);
    const isRepeating = await sendAgain(check);
    thoroughly ||= more || isAcknowledging || isRepeating;
    return more || isAcknowledging || isRepeating;
  }

  async function work(check: Check): Promise<void> {
    fresh = [];
    overtaking = undefined;
    const checkAll = async (): Promise<void> => {
      if (stopped) throw new Stopped();
      await check();
    };
    while (again && !stopped) {
      const all = thoroughly;
      again = false;
      thoroughly = false;
      if (await turn(all, checkAll)) again = true;
    }
  }

  /** A commit asks for what is new only; the clock asks for everything. */
  function run(thorough: boolean): Promise<void> {
    again = true;
    thoroughly ||= thorough;
    if (stopped) return running ?? Promise.resolve();
    running ??= term
      .work(work)
      .catch((error) => {
        if (error instanceof Stopped) return;
        if (error instanceof LostLease) log.info('another process carries the outbox now');
        else log.warn({ err: error }, 'the outbox could not be carried on; it will be tried again');
      })
      .then((led) => {
        running = undefined;
        // Asked for after the last look at it.
        if (led && again && !stopped) return run(false);
      });
    return running;
  }

  return {
    kickChannel: kicks,
    start(): void {
      timer = setInterval(() => void run(true), POLL_MS);
      void run(true);
    },
    /** Called after each commit that said something. */
    kick(): void {
      void run(false);
      // Another process may be the one that carries.
      if (!term.isHeld()) void redis.publish(kicks, owner).catch(() => undefined);
    },
    /** One full round now; for tests and an orderly stop. */
    flush: (): Promise<void> => run(true),
    /** How many events have not had all their effects yet. */
    pending: (): Promise<number> => rows.countDocuments({ state: { $in: ['NEW', 'SENT'] } }),
    /** Ends after the write that is under way: what is left is carried on by whoever comes next. */
    async stop(): Promise<void> {
      stopped = true;
      clearInterval(timer);
      await running;
      await term.release().catch(() => undefined);
    },
  };
}

export type Relay = ReturnType<typeof createRelay>;

class Stopped extends Error {}
