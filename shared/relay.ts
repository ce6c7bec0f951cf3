import type { Redis } from 'ioredis';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import type { Leases } from './leases.ts';
import type { Live } from './live.ts';
import { envelopeOf, outboxOf, type OutboxRow } from './outbox.ts';
import type { Queues } from './queues.ts';
import { renewTags } from './stamps.ts';

interface RelayOptions {
  subgraph: string;
  owner: string;
  db: Connection;
  redis: Redis;
  prefix: string;
  queues: Queues;
  live: Live;
  leases: Leases;
  log: Logger;
}

const POLL_MS = 1_000;
const LEASE_MS = 5_000;
const BATCH = 200;
/** An unacknowledged event is put on its queue again after this long, doubling. Its job id keeps it single there, the inbox its effect. */
const FIRST_CHECK_MS = 15_000;
const LAST_CHECK_MS = 10 * 60_000;
/** How much of the past a wiped Redis is filled with again. */
const RESTORED_MS = 24 * 3_600_000;
/** Rows were written in nearly the order in which they were sent; so many apart, both agree. */
const DISORDER = 1_000;

/** Redis has lost everything: what was there comes first. */
class Wiped extends Error {}

interface Sent {
  _id: string;
  change: Partial<OutboxRow>;
}

interface PastEntry {
  topic: string;
  cursor: string;
  row: OutboxRow;
}

/**
 * Carries a subgraph's outbox to the queues and live topics, in the order of the rows. One process at a time, by lease, so that the order
 * on a topic is the order of the commits. The rows are the truth: whatever Redis loses is sent again until each consumer has acknowledged it.
 */
export function createRelay(options: RelayOptions) {
  const { subgraph, owner, db, redis, prefix, queues, live, leases, log } = options;
  const rows = outboxOf(db);
  const acks = `${prefix}:acks:${subgraph}`;
  const epoch = `${prefix}:epoch:${subgraph}`;
  const filling = `${prefix}:filling:${subgraph}`;
  const kicks = `${prefix}:kick:${subgraph}`;
  let leaseUntil = 0;
  let running: Promise<void> | undefined;
  let again = false;
  let thoroughly = false;
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function leads(): Promise<boolean> {
    const now = Date.now();
    if (now < leaseUntil - LEASE_MS / 2) return true;
    const lease = await leases.acquire('relay', owner, LEASE_MS);
    leaseUntil = lease ? now + LEASE_MS : 0;
    return lease !== undefined;
  }

  /** Puts an event where it is heard; answers what its row is afterwards. */
  async function send(row: OutboxRow, at: number): Promise<Partial<OutboxRow>> {
    const envelope = envelopeOf(row);
    const cursors: Record<string, string> = {};
    for (const topic of row.topics) {
      const cursor = await live.publishWhile(epoch, topic, { eventId: row._id, payload: envelope });
      if (cursor === undefined) throw new Wiped();
      cursors[topic] = cursor;
    }
    for (const queue of row.waiting) await queues.add(queue, envelope, subgraph);
    return row.waiting.length > 0
      ? { cursors, state: 'SENT', checkAt: new Date(at + FIRST_CHECK_MS) }
      : { cursors, state: 'DONE', doneAt: new Date(at) };
  }

  async function sendNew(): Promise<void> {
    for (;;) {
      const fresh = await rows.find({ state: 'NEW' }).sort({ _id: 1 }).limit(BATCH).toArray();
      // First, so that whoever hears of a change and asks is not given what was kept before.
      await renewTags(
        redis,
        prefix,
        fresh.flatMap(({ tags = [] }) => tags),
      );
      const sent: Sent[] = [];
      const at = Date.now();
      try {
        for (const row of fresh) sent.push({ _id: row._id, change: await send(row, at) });
      } finally {
        // What was sent before something failed is not sent again.
        if (sent.length > 0) await rows.bulkWrite(noted(sent));
      }
      if (fresh.length < BATCH) return;
    }
  }

  async function takeAcknowledgements(): Promise<void> {
    const taken = await redis.spop(acks, BATCH);
    if (taken.length === 0) return;
    for (const [queue, ids] of groupByQueue(taken)) await rows.updateMany({ _id: { $in: ids } }, { $pull: { waiting: queue } });
    await rows.updateMany({ state: 'SENT', waiting: { $size: 0 } }, { $set: { state: 'DONE', doneAt: new Date() } });
    if (taken.length === BATCH) await takeAcknowledgements();
  }

  async function sendAgain(): Promise<void> {
    const overdue = await rows
      .find({ state: 'SENT', checkAt: { $lte: new Date() } })
      .sort({ _id: 1 })
      .limit(BATCH)
      .toArray();
    for (const row of overdue) {
      for (const queue of row.waiting) await queues.add(queue, envelopeOf(row), subgraph);
      const wait = Math.min(FIRST_CHECK_MS * 2 ** (row.checks + 1), LAST_CHECK_MS);
      await rows.updateOne({ _id: row._id, state: 'SENT' }, { $set: { checkAt: new Date(Date.now() + wait) }, $inc: { checks: 1 } });
    }
  }

  /** Redis carries a mark; when it is gone, so is everything else that was there. It comes back last, when all the rest is there again. */
  async function refillAfterWipe(): Promise<void> {
    while ((await redis.exists(epoch)) === 0) {
      await redis.set(filling, owner);
      await rows.updateMany({ state: 'SENT' }, { $set: { checkAt: new Date(0) } });
      try {
        await restoreTopics();
        await redis.rename(filling, epoch);
      } catch (error) {
        // Wiped once more meanwhile: all begins again, and with nothing.
        if (!(error instanceof Wiped) && !isMissingKey(error)) throw error;
      }
    }
  }

  async function restoreTopics(): Promise<void> {
    const since = new Date(Date.now() - RESTORED_MS);
    const past = rows.find({ state: { $ne: 'NEW' }, occurredAt: { $gte: since }, 'topics.0': { $exists: true } }).sort({ _id: 1 });
    let entries: PastEntry[] = [];
    const restore = async (count: number): Promise<void> => {
      entries.sort((a, b) => compareCursors(a.cursor, b.cursor));
      for (const { topic, cursor, row } of entries.slice(0, count)) {
        const restored = await live.restoreWhile(filling, topic, cursor, { eventId: row._id, payload: envelopeOf(row) });
        if (restored === undefined) throw new Wiped();
      }
      entries = entries.slice(count);
    };
    for await (const row of past) {
      for (const [topic, cursor] of Object.entries(row.cursors)) entries.push({ topic, cursor, row });
      if (entries.length >= 2 * DISORDER) await restore(DISORDER);
    }
    await restore(entries.length);
  }

  async function round(thorough: boolean): Promise<void> {
    if (stopped || !(await leads())) return;
    if (thorough) await refillAfterWipe();
    await sendNew().catch(async (error) => {
      if (!(error instanceof Wiped)) throw error;
      again = true;
      thoroughly = true;
    });
    if (!thorough) return;
    await takeAcknowledgements();
    await sendAgain();
  }

  /** A commit asks for what is new only; the clock asks for everything. */
  function run(thorough: boolean): Promise<void> {
    again = true;
    thoroughly ||= thorough;
    running ??= (async () => {
      while (again && !stopped) {
        const all = thoroughly;
        again = false;
        thoroughly = false;
        await round(all);
      }
    })()
      .catch((error) => log.warn({ err: error }, 'the outbox could not be carried on; it will be tried again'))
      .finally(() => (running = undefined));
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
      if (leaseUntil < Date.now()) void redis.publish(kicks, owner).catch(() => undefined);
    },
    /** One full round now; for tests and an orderly stop. */
    flush: (): Promise<void> => run(true),
    /** How many events have not had all their effects yet. */
    pending: (): Promise<number> => rows.countDocuments({ state: { $in: ['NEW', 'SENT'] } }),
    async stop(): Promise<void> {
      stopped = true;
      clearInterval(timer);
      await running;
      if (leaseUntil > Date.now()) await leases.release('relay', owner).catch(() => undefined);
    },
  };
}

export type Relay = ReturnType<typeof createRelay>;

/** One write for all rows that are different in the same way: a store that makes each write durable by itself is spared hundreds. */
const noted = (sent: readonly Sent[]) =>
  [...Map.groupBy(sent, ({ change }) => JSON.stringify(change)).values()].map((alike) => ({
    updateMany: { filter: { _id: { $in: alike.map(({ _id }) => _id) }, state: 'NEW' as const }, update: { $set: alike[0]!.change } },
  }));

const isMissingKey = (error: unknown): boolean => error instanceof Error && error.message.includes('no such key');

function compareCursors(one: string, other: string): number {
  const [ms = 0, sequence = 0] = one.split('-').map(Number);
  const [otherMs = 0, otherSequence = 0] = other.split('-').map(Number);
  return ms - otherMs || sequence - otherSequence;
}

/** An acknowledgement is `<queue> <event id>`. */
function groupByQueue(taken: string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const entry of taken) {
    const space = entry.indexOf(' ');
    const queue = entry.slice(0, space);
    groups.set(queue, [...(groups.get(queue) ?? []), entry.slice(space + 1)]);
  }
  return groups;
}
