import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import type { Envelope } from '../kit/define-event.ts';
import { newId } from '../base/ids.ts';
import { createLeases, type Leases } from '../store/leases.ts';
import { createLog } from '../base/log.ts';
import { consumersFrom } from './consumers.ts';
import { createOutbox, outboxOf, type OutboxRow } from './outbox.ts';
import { createRelay, epochKey, type Relay } from './outbox-relay.ts';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { open, type TestApp } from '../testing/open.ts';

/** Short, so that a test can outlast it; long enough for a busy machine to keep it. */
const LEASE_MS = 1_500;
const BATCH = 20;
/** One object, as a registry gives until it has read again. */
const NO_CONSUMERS = consumersFrom([]);

let app: TestApp;
let db: Connection;
let prefix: string;
beforeAll(async () => {
  app = await open(subgraph);
});
beforeEach(async () => {
  prefix = `${app.runtime().db.name}_relay${newId('run')}`;
  db = app.host.client.useDb(prefix.slice(0, 50), { useCache: false });
  await createOutbox(db);
  await app.host.redis.set(epochKey(prefix, 'boards'), '1');
});
afterAll(() => app.close());

/** What one relay puts on queues, in order; `on` may hold it up. */
interface Relaying {
  relay: Relay;
  added: string[];
}

type On = (queue: string, envelopes: readonly Envelope[]) => Promise<void>;

function relaying(holder: string, on: On = async () => undefined, leases: Leases = createLeases(db)): Relaying {
  const added: string[] = [];
  const { redis, live } = app.host;
  const queues = {
    async add(queue: string, envelopes: readonly Envelope[]) {
      await on(queue, envelopes);
      added.push(...envelopes.map(({ id }) => id));
    },
  };
  const registry = { read: async () => NO_CONSUMERS };
  const settings = { subgraph: 'boards', leases, log: createLog('test'), leaseMs: LEASE_MS, batch: BATCH };
  return { added, relay: createRelay({ ...settings, holder, db, redis, live, prefix, queues, registry }) };
}

const written = (count: number, rest: Partial<OutboxRow> = {}): OutboxRow[] =>
  Array.from({ length: count }, () => ({
    _id: newId('evt'),
    type: 'Board.Created',
    version: 1,
    occurredAt: new Date(),
    correlationId: 'test',
    data: {},
    topics: [],
    cursors: {},
    waiting: ['boards'],
    state: 'NEW',
    checkAt: null,
    checks: 0,
    doneAt: null,
    ...rest,
  }));

async function write(rows: OutboxRow[]): Promise<string[]> {
  await outboxOf(db).insertMany(rows);
  return rows.map(({ _id }) => _id);
}

const acknowledge = (ids: string[], queue = 'boards') => app.host.redis.sadd(`${prefix}:acks:boards`, ...ids.map((id) => `${queue} ${id}`));
const statesOf = async (ids: string[]) =>
  (
    await outboxOf(db)
      .find({ _id: { $in: ids } })
      .toArray()
  ).map(({ state }) => state);

describe('the relay', () => {
  test('carries everything in the order of its writing, and notes each effect', async () => {
    const ids = await write(written(130));
    const { relay, added } = relaying('one');

    await relay.flush();
    await acknowledge(ids);
    await relay.flush();

    expect(added).toEqual(ids);
    expect(new Set(await statesOf(ids))).toEqual(new Set(['DONE']));
    await relay.stop();
  });

  test('sends the events of one key in the order of their sequence, though the clock of one producer is behind', async () => {
    const rows = written(6).map((row, index) => ({ ...row, key: index % 2 === 0 ? 'board_a' : 'board_b', sequence: 100 - index }));
    const ids = await write(rows);
    const { relay, added } = relaying('one');

    await relay.flush();

    expect(added).toEqual([4, 5, 2, 3, 0, 1].map((index) => ids[index]));
    await relay.stop();
  });

  test('notes what two queues wait for as done when both have acknowledged it', async () => {
    const ids = await write(written(3, { waiting: ['boards', 'search'] }));
    const { relay } = relaying('one');
    await relay.flush();

    await acknowledge(ids);
    await acknowledge(ids.slice(0, 2), 'search');
    await relay.flush();

    expect(await statesOf(ids)).toEqual(['DONE', 'DONE', 'SENT']);
    expect(await outboxOf(db).findOne({ _id: ids[2]! })).toMatchObject({ waiting: ['search'] });
    await relay.stop();
  });

  test('lets the newest events overtake a backlog, with the older ones of their topics and tags, unless those are many', async () => {
    const backlog = await write(written(300, { topics: ['boards'] }));
    const alone = await write(written(40, { tags: ['Board:1'] }));
    const [free, behind, after] = await write([
      ...written(1, { topics: ['board:2'], tags: ['Board:2'] }),
      ...written(1, { topics: ['board:3', 'boards'] }),
      ...written(1, { tags: ['Board:1', 'Board:2'] }),
    ]);
    const untold = await write(written(1));
    const { relay, added } = relaying('one');

    await relay.flush();

    const inBacklog = added.filter((id) => backlog.includes(id!) || id === behind);
    const quick = added.filter((id) => [...alone, free, after].includes(id!));
    expect(inBacklog).toEqual([...backlog, behind]);
    expect(quick).toEqual([...alone, free, after]);
    expect(added.indexOf(after!)).toBeLessThan(added.indexOf(backlog[150]!));
    expect(added.at(-1)).toBe(untold[0]);
    expect(added).toHaveLength(backlog.length + 44);
    await relay.stop();
  });

  test('lets no event overtake an older one of its topic that is committed after younger rows are known', async () => {
    const backlog = written(300, { topics: ['boards'] });
    const late = written(1, { topics: ['board:9'] });
    await write([...backlog, ...written(1, { topics: ['board:8'] })]);
    const young = written(1, { topics: ['board:9'] });
    let rounds = 0;
    const { relay, added } = relaying('one', async () => {
      rounds += 1;
      if (rounds !== 3) return;
      await write([...young, ...late]);
      await delay(600); // the relay looks at the newest rows every 500 ms
    });

    do await relay.flush();
    while (added.length < backlog.length + 3);

    expect(added.indexOf(late[0]!._id)).toBeLessThan(added.indexOf(young[0]!._id));
    await relay.stop();
  });

  test('keeps the order on each topic and of each tag, however rows are written during a backlog', async () => {
    const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
    console.info(`seed ${seed}`);
    let state = seed;
    const chance = (below: number): number => (state = (state * 1_103_515_245 + 12_345) % 2 ** 31) % below;
    const some = (count: number): OutboxRow[] =>
      written(count).map((row) => ({ ...row, topics: [`topic:${chance(30)}`], tags: chance(3) > 0 ? [`tag:${chance(200)}`] : [] }));
    const all: OutboxRow[] = some(200);
    await write(all);
    const { relay, added } = relaying('one', async () => {
      if (all.length > 1_200) return;
      const more = some(chance(60));
      all.push(...more);
      if (more.length > 0) await write(more);
    });

    // Rows of the last round are written without the signal that a commit gives.
    do await relay.flush();
    while (added.length < all.length);

    expect(added.toSorted()).toEqual(all.map(({ _id }) => _id));
    const place = new Map(added.map((id, index) => [id, index]));
    for (const lane of new Set(all.flatMap(({ topics, tags = [] }) => [...topics, ...tags]))) {
      const places = all.filter(({ topics, tags = [] }) => [...topics, ...tags].includes(lane)).map(({ _id }) => place.get(_id)!);
      expect(places).toEqual(places.toSorted((a, b) => a - b));
    }
    await relay.stop();
  });

  test('takes turns: a new event waits for one batch of acknowledgements, and they for one batch of new events', async () => {
    const sent = await write(written(100, { state: 'SENT', checkAt: new Date(Date.now() + 60_000) }));
    await acknowledge(sent);
    await write(written(100));
    let atFirst: number | undefined;
    let late: string[] = [];
    const done = () => outboxOf(db).countDocuments({ state: 'DONE' });
    const { relay, added } = relaying('one', async () => {
      if (added.length === BATCH) atFirst = await done();
      if (added.length === 4 * BATCH) late = await write(written(1));
      if (added.length === 5 * BATCH) atFirst = Math.min(atFirst!, (await done()) - 4 * BATCH);
    });

    await relay.flush();

    // Before the second batch of new events one batch of acknowledgements was noted, and so on.
    expect(atFirst).toBe(BATCH);
    expect(added.at(-1)).toBe(late[0]);
    expect(await done()).toBe(100);
    await relay.stop();
  });

  test('puts what nobody acknowledged on its queue again, a batch at a time, and marks what was acknowledged too early', async () => {
    const overdue = await write(written(45, { state: 'SENT', checkAt: new Date(0) }));
    const early = await write(written(1, { state: 'SENT', checkAt: new Date(0), waiting: [] }));
    const batches: number[] = [];
    const { relay, added } = relaying('one', async (_queue, envelopes) => void batches.push(envelopes.length));

    await relay.flush();

    expect(Math.max(...batches)).toBeLessThanOrEqual(BATCH);
    expect(added.toSorted()).toEqual(overdue);
    expect(await outboxOf(db).countDocuments({ state: 'SENT', checks: 1, checkAt: { $gt: new Date() } })).toBe(45);
    expect(await statesOf(early)).toEqual(['DONE']);
    await relay.stop();
  });

  test('ends soon although much is left', async () => {
    await write(written(200));
    const { relay, added } = relaying('one', async () => {
      if (added.length === BATCH) void relay.stop();
    });

    await relay.flush();

    expect(added.length).toBeLessThanOrEqual(2 * BATCH);
    await relay.stop();
  });
});

describe('two relays', () => {
  test('never carry at the same time: who lost the lease at work writes nothing more', async () => {
    const ids = await write(written(100));
    const { promise: taken, resolve: goOn } = Promise.withResolvers<void>();
    const { promise: stands, resolve: stand } = Promise.withResolvers<void>();
    const leases = createLeases(db);
    let standsStill = false;
    // A process that stands still does not renew its lease either.
    const acquire: Leases['acquire'] = async (...args) =>
      standsStill ? Promise.reject(new Error('stands still')) : leases.acquire(...args);
    const hold: On = async () => {
      if (stalled.added.length < BATCH) return;
      standsStill = true;
      stand();
      await taken;
      standsStill = false;
    };
    const stalled = relaying('stalled', hold, { ...leases, acquire });
    const other = relaying('other');
    const carrying = stalled.relay.flush();
    await stands;

    while (other.added.length === 0) await Promise.all([other.relay.flush(), delay(20)]);
    goOn();
    await carrying;

    // What it had in hands came to an end, nothing after it began; the other one has carried everything since.
    expect(stalled.added).toEqual(ids.slice(0, 2 * BATCH));
    expect(other.added).toEqual(ids.slice(BATCH));
    await Promise.all([stalled, other].map(({ relay }) => relay.stop()));
  });

  test('keep the lease for as long as one works, however long one write takes', async () => {
    const ids = await write(written(10));
    const begun = Promise.withResolvers<void>();
    const slow = relaying('slow', async () => {
      begun.resolve();
      await delay(1.5 * LEASE_MS);
    });
    const other = relaying('other');

    const carrying = slow.relay.flush();
    await begun.promise;
    while (slow.added.length + other.added.length === 0) await Promise.all([other.relay.flush(), delay(20)]);
    await carrying;

    expect([slow.added, other.added]).toEqual([ids, []]);
    expect(await statesOf(ids)).toEqual(ids.map(() => 'SENT'));
    await Promise.all([slow, other].map(({ relay }) => relay.stop()));
  });

  test('leave each topic in the order of its rows, whenever the lease changes hands', async () => {
    const seed = randomInt(2 ** 30);
    console.log(`seed ${seed}`);
    const random = mulberry(seed);
    const topics = ['boards:1', 'boards:2', 'boards:3'];
    const rows = Array.from(
      { length: 120 },
      () => written(1, { topics: topics.filter(() => random() < 0.5), waiting: random() < 0.5 ? ['boards'] : [] })[0]!,
    );
    const relays = ['one', 'two', 'three'].map((owner) =>
      relaying(owner, async () => {
        if (random() < 0.3) await db.collection<{ _id: string }>('leases').updateOne({ _id: 'relay' }, { $set: { until: new Date(0) } });
      }),
    );
    for (let at = 0; at < rows.length; at += 20) {
      await write(rows.slice(at, at + 20));
      await Promise.all(relays.map(({ relay }) => relay.flush()));
    }
    for (const { relay } of relays)
      while ((await outboxOf(db).countDocuments({ state: 'NEW' })) > 0) await Promise.all([relay.flush(), delay(10)]);

    for (const topic of topics) {
      const stored = await outboxOf(db).find({ topics: topic }).sort({ _id: 1 }).toArray();
      const cursors = stored.map(({ cursors: of }) => of[topic]!);
      expect(cursors.toSorted(byCursor)).toEqual(cursors);
      expect(new Set(cursors).size).toBe(cursors.length);
    }
    await Promise.all(relays.map(({ relay }) => relay.stop()));
  });
});

const byCursor = (a: string, b: string): number => {
  const [ms, sequence] = a.split('-').map(Number) as [number, number];
  const [otherMs, otherSequence] = b.split('-').map(Number) as [number, number];
  return ms - otherMs || sequence - otherSequence;
};

/** The same numbers for the same seed. */
function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
