import type { Redis } from 'ioredis';
import type { Connection, mongo } from 'mongoose';
import type { Handler } from '../kit/define-subgraph.ts';
import { createIndexes } from '../store/indexes.ts';

/** One queue that takes one version of one event. Type `*`, version 0: every event. */
export interface ConsumerEntry {
  queue: string;
  type: string;
  version: number;
  /** True: the events of a key are put on the queue one after the other. */
  isOrdered: boolean;
}

interface ConsumerRow extends ConsumerEntry {
  /** `<queue> <type>@<version>` */
  _id: string;
  /** When a process with this consumer ran last. */
  seenAt: Date;
}

/** A request to deliver past events to one consumer once more. */
export interface ReplayRow {
  _id: string;
  queue: string;
  type: string;
  version: number;
  since: Date;
  at: Date;
}

/** A consumer that no process has had for this long gets no events any more. */
const FORGOTTEN_MS = 30 * 24 * 3_600_000;
const SEEN_EVERY_MS = 3_600_000;
/** As long as an outbox keeps its rows. */
const REPLAYS_KEPT_SECONDS = 7 * 24 * 3_600;
/** A new consumer is known everywhere after this long; what was sent before that is sent to it again. */
const KNOWN_MS = 5_000;
const ALL = '*';

/** The consumers of the whole system at one time. */
export interface Consumers {
  /** Ids of all entries. */
  entries: ReadonlyMap<string, ConsumerEntry>;
  replays: readonly ReplayRow[];
  consumersOf(type: string, version: number): string[];
  isOrdered(consumer: string, type: string, version: number): boolean;
  /** True for a consumer that was registered once and that no process has had for a month. */
  isForgotten(consumer: string, type: string, version: number): boolean;
  /** The same without these entries. */
  without(ids: ReadonlySet<string>): Consumers;
}

/**
 * Who consumes which events, in the kit's own database rather than in the build of the producer: a consumer that is deployed before its
 * producers is known to them. Every process registers its consumers before it serves.
 */
export function createConsumerRegistry(db: Connection, { redis, prefix }: { redis: Redis; prefix: string }) {
  const channel = `${prefix}:consumers`;
  const rows = db.collection<ConsumerRow>('consumers');
  const replays = db.collection<ReplayRow>('replays');
  let known: { consumers: Promise<Consumers>; until: number } | undefined;
  const own = new Map<string, ConsumerEntry>();
  let timer: NodeJS.Timeout | undefined;

  async function read(): Promise<Consumers> {
    const [found, requested] = await Promise.all([rows.find({}, FEW).toArray(), replays.find({}, FEW).toArray()]);
    const since = Date.now() - FORGOTTEN_MS;
    const { living = [], forgotten = [] } = Object.groupBy(found, ({ seenAt }) => (seenAt.getTime() > since ? 'living' : 'forgotten'));
    return consumersFrom(living, { replays: requested, forgotten });
  }

  async function see(entries: Iterable<[string, ConsumerEntry]>): Promise<void> {
    const seenAt = new Date();
    const writes = [...entries].map(([_id, entry]): mongo.AnyBulkWriteOperation<ConsumerRow> => ({
      updateOne: { filter: { _id }, update: { $set: { ...entry, seenAt } }, upsert: true },
    }));
    if (writes.length > 0) await rows.bulkWrite(writes);
  }

  /** A Redis that is away delays the news by five seconds. */
  async function changed(): Promise<void> {
    known = undefined;
    await redis.publish(channel, '').catch(() => undefined);
  }

  return {
    /** Messages on it say that something has changed. */
    channel,
    forget: (): void => void (known = undefined),
    async prepare(): Promise<void> {
      await createIndexes(db, 'replays', [{ key: { at: 1 }, name: 'at', expireAfterSeconds: REPLAYS_KEPT_SECONDS }]);
    },
    /** Registers the consumers of a subgraph, and keeps them registered while this process runs. */
    async register(entries: readonly ConsumerEntry[]): Promise<void> {
      const named = entries.map((entry): [string, ConsumerEntry] => [idOf(entry), entry]);
      for (const [id, entry] of named) own.set(id, entry);
      await see(named);
      await changed();
      timer ??= setInterval(() => void see(own).catch(() => undefined), SEEN_EVERY_MS).unref();
    },
    /** At most five seconds old. */
    read(): Promise<Consumers> {
      const now = performance.now();
      if (!known || now >= known.until) {
        const consumers = read();
        known = { consumers, until: now + KNOWN_MS };
        consumers.catch(() => (known = undefined));
      }
      return known.consumers;
    },
    async requestReplay(row: ReplayRow): Promise<void> {
      await replays.insertOne(row);
      await changed();
    },
    close(): void {
      clearInterval(timer);
    },
  };
}

export type ConsumerRegistry = ReturnType<typeof createConsumerRegistry>;

const FEW = { comment: 'plan: consumers and requested replays are few' };

const idOf = ({ queue, type, version }: Omit<ConsumerEntry, 'isOrdered'>): string => `${queue} ${type}@${version}`;

interface Rest {
  replays?: readonly ReplayRow[];
  forgotten?: readonly ConsumerEntry[];
}

export function consumersFrom(living: readonly ConsumerEntry[], { replays = [], forgotten = [] }: Rest = {}): Consumers {
  const entries = new Map(
    living.map(({ queue, type, version, isOrdered }) => [idOf({ queue, type, version }), { queue, type, version, isOrdered }]),
  );
  const gone = new Set(forgotten.map(idOf));
  const byEvent = Map.groupBy(entries.values(), ({ type, version }) => `${type}@${version}`);
  const everything = (byEvent.get(`${ALL}@0`) ?? []).map(({ queue }) => queue);
  const entryOf = (consumer: string, type: string, version: number) => idOf({ queue: queueOf(consumer), type, version });
  return {
    entries,
    replays,
    consumersOf: (type, version) => [...everything, ...(byEvent.get(`${type}@${version}`) ?? []).map(({ queue }) => queue)],
    isOrdered: (consumer, type, version) => entries.get(entryOf(consumer, type, version))?.isOrdered ?? false,
    without: (ids) =>
      consumersFrom(
        [...entries].filter(([id]) => !ids.has(id)).map(([, entry]) => entry),
        { replays, forgotten },
      ),
    isForgotten: (consumer, type, version) => gone.has(entryOf(consumer, type, version)) || gone.has(entryOf(consumer, ALL, 0)),
  };
}

/** The queue of a subgraph's handlers of single events, or of one of its batch handlers. */
export const consumerQueue = (subgraph: string, batchHandler?: string): string =>
  batchHandler === undefined ? subgraph : `${subgraph}-${batchHandler}`;

/** What the handlers of a subgraph consume. */
export function consumersOfHandlers(subgraph: string, handlers: readonly Handler[]): ConsumerEntry[] {
  const entries = new Map<string, ConsumerEntry>();
  const add = (entry: ConsumerEntry): void => {
    const id = idOf(entry);
    entries.set(id, { ...entry, isOrdered: entry.isOrdered || (entries.get(id)?.isOrdered ?? false) });
  };
  for (const handler of handlers) {
    if (handler.kind === 'event' && !handler.event.queue) {
      const { type, version } = handler.event;
      add({ queue: subgraph, type, version, isOrdered: handler.ordering === 'BY_KEY' });
    }
    if (handler.kind !== 'batch') continue;
    const queue = consumerQueue(subgraph, handler.name);
    const events = handler.events.length > 0 ? handler.events : [{ type: ALL, version: 0 }];
    for (const { type, version } of events) add({ queue, type, version, isOrdered: false });
  }
  return [...entries.values()];
}

/* A consumer is named by its queue, and in a replay by queue and replay: the events of a replay have their effect once more. */

export const replayName = (queue: string, replayId: string): string => `${queue}#${replayId}`;
export const queueOf = (consumer: string): string => consumer.split('#', 1)[0]!;
export const replayOf = (consumer: string): string | undefined => consumer.split('#', 2)[1];

/** True when the entry takes the event. */
export const takes = (entry: ConsumerEntry, { type, version }: { type: string; version: number }): boolean =>
  entry.type === ALL || (entry.type === type && entry.version === version);
