import type { Connection } from 'mongoose';
import { idsSince, newId } from '../base/ids.ts';
import { createIndexes } from '../store/indexes.ts';
import { replayName, takes, type ConsumerEntry, type ConsumerRegistry, type Consumers } from './consumers.ts';
import { outboxOf, type OutboxRow } from './outbox.ts';
import { firstCheck, type Check } from './outbox-writes.ts';

/** Past events of one outbox that are sent to one or more consumers, page by page. */
interface ReplayProgress {
  _id: string;
  targets: ReplayTarget[];
  /** The last row that was looked at. */
  after: string;
  /** The last row to look at; null for new consumers, which catch up with the relay. */
  until: string | null;
  doneAt: Date | null;
}

interface ReplayTarget {
  /** Id of the entry in the registry. */
  id: string;
  /** Its queue, or the name of a replay on it. */
  consumer: string;
  entry: ConsumerEntry;
}

/** The consumers that this outbox has sent to so far. */
interface KnownConsumers {
  _id: typeof KNOWN;
  entries: string[];
}

const KNOWN = 'consumers';
const PAGE = 500;
const KEPT_SECONDS = 30 * 24 * 3_600;
/** A transaction commits at most this long after the id of its row was made: the end of a catch-up looks at these rows once more. */
const LATE_MS = 60_000;
const FEW = { comment: 'plan: open replays are few' };

export async function createReplays(db: Connection): Promise<void> {
  await createIndexes(db, 'outboxReplays', [{ key: { doneAt: 1 }, name: 'doneAt', expireAfterSeconds: KEPT_SECONDS }]);
}

interface ReplayerOptions {
  db: Connection;
  registry: Pick<ConsumerRegistry, 'read'>;
  enqueue(rows: readonly OutboxRow[], consumers: Consumers): Promise<void>;
}

/**
 * Sends past events to those who were not there: a new consumer receives what the outbox still holds, in order, and after that what the relay
 * sends; a requested replay receives what it names.
 */
export function createReplayer({ db, registry, enqueue }: ReplayerOptions) {
  const outbox = outboxOf(db);
  const known = db.collection<KnownConsumers>('outboxConsumers');
  const replays = db.collection<ReplayProgress>('outboxReplays');
  let seen: Consumers | undefined;
  /** In the order of their begin. */
  let open: ReplayProgress[] = [];

  /** Begins the catch-up of new consumers. Those that are there at the very first look are the consumers of the first rows. */
  async function beginCatchUp({ entries }: Consumers, check: Check): Promise<void> {
    const row = await known.findOne({ _id: KNOWN });
    const added = [...entries].filter(([id]) => !row?.entries.includes(id));
    if (row && added.length === 0) return;
    await check();
    const targets = added.map(([id, entry]) => ({ id, consumer: entry.queue, entry }));
    if (row) await replays.insertOne({ _id: newId('rpl'), targets, after: '', until: null, doneAt: null });
    await known.updateOne({ _id: KNOWN }, { $addToSet: { entries: { $each: added.map(([id]) => id) } } }, { upsert: true });
  }

  async function beginReplays(requested: Consumers['replays'], check: Check): Promise<void> {
    for (const { _id, queue, type, version, since, at } of requested) {
      const targets = [{ id: _id, consumer: replayName(queue, _id), entry: { queue, type, version, isOrdered: true } }];
      const span = { after: idsSince('evt', since), until: idsSince('evt', new Date(at.getTime() + 1)) };
      await check();
      await replays.updateOne({ _id }, { $setOnInsert: { targets, ...span, doneAt: null } }, { upsert: true });
    }
  }

  async function current(check: Check): Promise<Consumers> {
    const consumers = await registry.read();
    if (consumers === seen) return consumers;
    await beginCatchUp(consumers, check);
    await beginReplays(consumers.replays, check);
    open = await replays.find({ doneAt: null }, FEW).sort({ _id: 1 }).toArray();
    seen = consumers;
    return consumers;
  }

  const read = (after: string, until: string | null): Promise<OutboxRow[]> =>
    outbox
      .find({ _id: { $gt: after, ...(until !== null && { $lte: until }) } })
      .sort({ _id: 1 })
      .limit(PAGE)
      .toArray();

  /** A NEW row reaches its consumers by the relay, except those that are catching up, which look at it once more. */
  async function sendAgain(page: readonly OutboxRow[], targets: readonly ReplayTarget[], consumers: Consumers): Promise<void> {
    const again = page.flatMap((row) => {
      const waiting = targets.filter(({ entry }) => !row.isJob && row.state !== 'NEW' && takes(entry, row)).map(({ consumer }) => consumer);
      return waiting.length > 0 ? [{ ...row, waiting }] : [];
    });
    if (again.length === 0) return;
    await outbox.bulkWrite(
      [...Map.groupBy(again, ({ waiting }) => waiting.join(' ')).values()].map((alike) => ({
        updateMany: {
          filter: { _id: { $in: alike.map(({ _id }) => _id) }, state: { $in: ['SENT', 'DONE'] } },
          update: { $addToSet: { waiting: { $each: alike[0]!.waiting } }, $set: { state: 'SENT', ...firstCheck(), doneAt: null } },
        },
      })),
    );
    await enqueue(again, consumers);
  }

  async function runPage(replay: ReplayProgress, consumers: Consumers, check: Check): Promise<void> {
    const { _id, targets, after, until } = replay;
    const page = await read(after, until);
    await check();
    await sendAgain(page, targets, consumers);
    const last = page.at(-1)?._id ?? after;
    const isEnd = page.length < PAGE;
    if (isEnd && until === null) await sendAgain(await lateRows(last), targets, consumers);
    await check();
    await replays.updateOne({ _id }, { $set: { after: last, doneAt: isEnd ? new Date() : null } });
    replay.after = last;
    if (isEnd) open = open.filter((each) => each !== replay);
  }

  /** Rows that were committed behind the reader. Those that the consumer had already are dropped by its inbox. */
  async function lateRows(last: string): Promise<OutboxRow[]> {
    const rows: OutboxRow[] = [];
    for (let from = idsSince('evt', new Date(Date.now() - LATE_MS)); from < last;) {
      const page = await read(from, last);
      rows.push(...page);
      if (page.length < PAGE) break;
      from = page.at(-1)!._id;
    }
    return rows;
  }

  return {
    /** The consumers that new rows are sent to: without those that are catching up. */
    async consumers(check: Check): Promise<Consumers> {
      const consumers = await current(check);
      const behind = new Set(open.filter(({ until }) => until === null).flatMap(({ targets }) => targets.map(({ id }) => id)));
      return behind.size > 0 ? consumers.without(behind) : consumers;
    },
    /** One page of the oldest open replay; true when there may be more. */
    async runOnce(check: Check): Promise<boolean> {
      const consumers = await current(check);
      const [first] = open;
      if (first) await runPage(first, consumers, check);
      return open.length > 0;
    },
  };
}
