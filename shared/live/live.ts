import type { Redis } from 'ioredis';
import { Problem } from '../base/errors.ts';
import { createChannels } from './channels.ts';
import { PUBLISH, READ, RESTORE, type ScriptedRedis } from './scripts.ts';
import { LiveSubscription, type LiveEntry } from './subscription.ts';

export type { LiveSubscription } from './subscription.ts';

interface LiveOptions {
  /** Goes before every key. */
  prefix: string;
  /** About how many entries a topic keeps; default 10,000. */
  maxLength?: number;
}

interface NewEntry {
  /** The same id is appended to a topic once within 24 hours. Without one, every call appends. */
  eventId?: string;
  payload: unknown;
}

interface SubscribeOptions {
  /** Gives first what came after this cursor. Without it, what is appended after this call. */
  after?: string | null | undefined;
  signal?: AbortSignal | undefined;
  /** A key that is missing while a wiped Redis is being filled again: until then a cursor that is not there is waited for, not expired. */
  mark?: string;
}

/** Topics that are heard live and can be resumed by cursor, on Redis Streams. */
export interface Live {
  /** Appends and announces; answers the cursor. Safe to repeat with the same event id. */
  publish(topic: string, entry: NewEntry): Promise<string>;
  /** The same, but only as long as the key `mark` is there; undefined when it is gone, since then Redis was wiped. */
  publishWhile(mark: string, topic: string, entry: NewEntry): Promise<string | undefined>;
  /** Puts an entry back under its old cursor after Redis was wiped, oldest first; nobody is told. False when the topic has it or newer ones. */
  restore(topic: string, cursor: string, entry: NewEntry): Promise<boolean>;
  /** The same, but only as long as the key `mark` is there; undefined when it is gone, since then Redis was wiped once more. */
  restoreWhile(mark: string, topic: string, cursor: string, entry: NewEntry): Promise<boolean | undefined>;
  /** Where the topic ends now. Read it before the state it belongs to, and subscribe after it: nothing is missed between. */
  position(topic: string): Promise<string>;
  /**
   * Entries in order, each once, across broken connections. Ends with CURSOR_EXPIRED when the cursor's entry is not kept any more,
   * with INVALID_CURSOR when it is none, with SLOW_CONSUMER when 1,000 entries wait to be taken.
   */
  subscribe<T = unknown>(topic: string, options?: SubscribeOptions): LiveSubscription<T>;
  /** Ends every subscription and closes the connections. */
  close(): Promise<void>;
}

const MAX_LENGTH = 10_000;
const SEEN_SECONDS = 24 * 3_600;
const TOPIC_SECONDS = 7 * 24 * 3_600;

/** `connect` opens a new connection on each call; two are used: one for commands, one that listens for all topics. */
export function createLive(connect: () => Redis, { prefix, maxLength = MAX_LENGTH }: LiveOptions): Live {
  const redis = connect() as ScriptedRedis;
  redis.defineCommand('livePublish', PUBLISH);
  redis.defineCommand('liveRestore', RESTORE);
  redis.defineCommand('liveRead', READ);
  const channels = createChannels(connect());
  const open = new Set<Pick<LiveSubscription, 'return'>>();
  let closed = false;

  const streamOf = (topic: string) => `${prefix}:live:${topic}`;
  const seenOf = (topic: string, { eventId = '' }: NewEntry) => `${prefix}:live-seen:${topic}:${eventId}`;
  const settings = [maxLength, SEEN_SECONDS, TOPIC_SECONDS] as const;
  const textOf = ({ payload }: NewEntry) => JSON.stringify(payload ?? null);

  async function position(topic: string): Promise<string> {
    const [newest] = await redis.xrevrange(streamOf(topic), '+', '-', 'COUNT', 1);
    return newest?.[0] ?? '0-0';
  }

  async function read(topic: string, mark: string, last: string, count: number): Promise<LiveEntry[]> {
    const rows = await redis.liveRead(streamOf(topic), mark, last, count, maxLength);
    if (rows === 0) throw new Error('Redis is being filled again');
    if (!rows) throw expired();
    return rows.map(([cursor, [, payload]]) => ({ cursor, payload: JSON.parse(payload) as unknown }));
  }

  const append = async (mark: string, topic: string, entry: NewEntry): Promise<string | undefined> =>
    (await redis.livePublish(streamOf(topic), seenOf(topic, entry), mark, entry.eventId ?? '', textOf(entry), ...settings)) ?? undefined;

  async function putBack(mark: string, topic: string, cursor: string, entry: NewEntry): Promise<boolean | undefined> {
    const keys = [streamOf(topic), seenOf(topic, entry), mark] as const;
    const done = await redis.liveRestore(...keys, entry.eventId ?? '', textOf(entry), ...settings, cursor);
    return done === -1 ? undefined : done === 1;
  }

  function subscribe<T>(topic: string, { after, signal, mark = '' }: SubscribeOptions = {}): LiveSubscription<T> {
    const leave = () => void subscription.return();
    const subscription = new LiveSubscription<T>(
      {
        position: () => position(topic),
        read: (last, count) => read(topic, mark, last, count),
        listen: (listener) => channels.add(streamOf(topic), listener),
        onEnd: () => {
          open.delete(subscription);
          signal?.removeEventListener('abort', leave);
        },
      },
      after ?? undefined,
    );
    if (closed || signal?.aborted) {
      leave();
      return subscription;
    }
    open.add(subscription);
    signal?.addEventListener('abort', leave);
    subscription.start();
    return subscription;
  }

  return {
    publish: async (topic, entry) => (await append('', topic, entry))!,
    publishWhile: append,
    restore: async (topic, cursor, entry) => (await putBack('', topic, cursor, entry))!,
    restoreWhile: putBack,
    position,
    subscribe,
    async close() {
      if (closed) return;
      closed = true;
      await Promise.all([...open].map((subscription) => subscription.return()));
      channels.close();
      redis.disconnect();
    },
  };
}

const expired = () =>
  new Problem('CURSOR_EXPIRED', 'What follows this cursor is not kept any more: load the current state and subscribe afresh.', {
    path: ['after'],
  });
