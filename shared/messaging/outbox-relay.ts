import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { createTerm, LostLease, type Leases } from '../store/leases.ts';
import type { Live } from '../live/live.ts';
import { createAcknowledgements } from './acknowledgements.ts';
import type { ConsumerRegistry } from './consumers.ts';
import { outboxOf, type OutboxRow } from './outbox.ts';
import { createOvertaking, type Overtaking } from './outbox-overtaking.ts';
import { createRedisRefill, Wiped } from './redis-refill.ts';
import type { Queues } from './queues.ts';
import { createReplayer } from './outbox-replays.ts';
import { createSender } from './outbox-sender.ts';
import type { Check } from './outbox-writes.ts';

interface RelayOptions {
  subgraph: string;
  holder: string;
  db: Connection;
  redis: Redis;
  prefix: string;
  queues: Pick<Queues, 'add'>;
  live: Live;
  registry: Pick<ConsumerRegistry, 'read'>;
  leases: Leases;
  log: Logger;
  /** Lease time without a heartbeat; default 5 s. */
  leaseMs?: number;
  /** Rows per batch; default 200. */
  batch?: number;
}

const POLL_MS = 1_000;
const LEASE_MS = 5_000;
const BATCH = 200;
/** Batches per read: fewer queries for a store that sorts before it limits. */
const READ_AHEAD = 5;
/** During a backlog the newest events are read this often, and for at most a fifth of the time: some stores scan them all. */
const OVERTAKING_MS = 500;
const OVERTAKING_REST = 4;

/** The Redis key that marks the past of a subgraph as complete. */
export const epochKey = (prefix: string, subgraph: string): string => `${prefix}:epoch:${subgraph}`;

/**
 * Sends the outbox rows of a subgraph to queues and live topics, in the order of the rows. One process at a time, by lease, so the order on a
 * topic is the order of the commits. The rows are the truth: the relay resends events until each consumer has acknowledged them. New events,
 * acknowledgements, replays and overdue events take turns, one batch each, so none blocks another.
 */
export function createRelay(options: RelayOptions) {
  const { subgraph, holder, db, redis, prefix, live, leases, log } = options;
  const size = options.batch ?? BATCH;
  const rows = outboxOf(db);
  const epoch = epochKey(prefix, subgraph);
  const notifyKey = `${prefix}:kick:${subgraph}`;
  const term = createTerm(leases, { name: 'relay', holder, ttlMs: options.leaseMs ?? LEASE_MS });
  const sender = createSender({ ...options, epoch });
  const acknowledgements = createAcknowledgements({ db, redis, prefix, subgraph });
  const replayer = createReplayer({ db, registry: options.registry, enqueue: sender.enqueue });
  const past = createRedisRefill({ db, redis, live, epoch, filling: `${prefix}:filling:${subgraph}`, holder });
  /** NEW rows that were read and not sent; valid while the lease is held without a break. */
  let fresh: OutboxRow[] = [];
  /** The last read did not come to the end of them. */
  let isMoreUnread = false;
  /** What it knows of a backlog; good for as long. */
  let overtaking: Overtaking | undefined;
  /** When the newest rows are looked at next, in ms of a clock that only goes on. */
  let overtakesAt = 0;
  let running: Promise<void> | undefined;
  let isPending = false;
  let isFull = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  /** Sends the next batch; true when there may be more. */
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

  /** The newest events overtake a backlog that does not concern them. */
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
    const consumers = await replayer.consumers(check);
    await sender.send(batch, { consumers, check, published: (sent) => overtaking?.forget(sent.map(({ _id }) => _id)) });
  }

  /** Resends a batch of unacknowledged events; true when there may be more. */
  async function resend(check: Check): Promise<boolean> {
    const overdue = await rows
      .find({ state: 'SENT', checkAt: { $lte: new Date() } })
      .sort({ checkAt: 1, _id: 1 })
      .limit(size)
      .toArray();
    if (overdue.length === 0) return false;
    await sender.resend(overdue, { consumers: await options.registry.read(), check });
    return overdue.length === size;
  }

  /** One batch of new events; if `full`, also one of acknowledgements and one of overdue events. True when there may be more. */
  async function runOnce(full: boolean, check: Check): Promise<boolean> {
    if (full) await past.refillAfterWipe(check);
    const more = await sendAllNew(check).catch((error) => {
      if (!(error instanceof Wiped)) throw error;
      isFull = true;
      fresh = [];
      overtaking = undefined;
      return true;
    });
    if (!full) return more;
    const isAcknowledging = await acknowledgements.record(size, check);
    const isReplaying = await replayer.runOnce(check);
    const isRepeating = await resend(check);
    isFull ||= more || isAcknowledging || isReplaying || isRepeating;
    return isFull;
  }

  async function work(check: Check): Promise<void> {
    fresh = [];
    overtaking = undefined;
    const checkAll = async (): Promise<void> => {
      if (stopped) throw new Stopped();
      await check();
    };
    while (isPending && !stopped) {
      const all = isFull;
      isPending = false;
      isFull = false;
      if (await runOnce(all, checkAll)) isPending = true;
    }
  }

  /** A commit starts a run for new events; the timer starts a full one. */
  function run(full: boolean): Promise<void> {
    isPending = true;
    isFull ||= full;
    if (stopped) return running ?? Promise.resolve();
    running ??= term
      .work(work)
      .catch((error) => {
        if (error instanceof Stopped) return;
        if (error instanceof LostLease) log.info('outbox relay: another process holds the lease now');
        else log.warn({ err: error }, 'outbox relay: a run failed; it will be tried again');
      })
      .then((led) => {
        running = undefined;
        // Requested after the last read.
        if (led && isPending && !stopped) return run(false);
      });
    return running;
  }

  return {
    notifyChannel: notifyKey,
    start(): void {
      timer = setInterval(() => void run(true), POLL_MS);
      void run(true);
    },
    /** Call it after each commit that published a message. */
    notify(): void {
      void run(false);
      // Another process may hold the lease.
      if (!term.isHeld()) void redis.publish(notifyKey, holder).catch(() => undefined);
    },
    /** One full run now; for tests and an orderly stop. */
    flush: (): Promise<void> => run(true),
    /** Number of events that are not sent or not acknowledged. */
    pending: (): Promise<number> => rows.countDocuments({ state: { $in: ['NEW', 'SENT'] } }),
    /** Ends after the current write; the next holder of the lease sends the rest. */
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
