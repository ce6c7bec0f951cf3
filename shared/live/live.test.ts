import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { createLive, type Live, type LiveSubscription } from './live.ts';

const REDIS_URL = process.env['REDIS_URL'] ?? 'redis://127.0.0.1:6379';
const MAX_LENGTH = 1_000;

const admin = new Redis(REDIS_URL);
const opened: Live[] = [];
let prefix = '';

/** A process of its own, as far as Redis can tell; its connections are found by name. */
function open(maxLength = MAX_LENGTH) {
  const connections: Redis[] = [];
  const live = createLive(
    () => {
      const connection = new Redis(REDIS_URL, {
        connectionName: prefix,
        maxRetriesPerRequest: null,
        retryStrategy: () => 5,
      });
      connection.on('error', () => undefined);
      connections.push(connection);
      return connection;
    },
    { prefix, maxLength },
  );
  opened.push(live);
  return { live, connections };
}

async function take<T>(subscription: LiveSubscription<T>, count: number): Promise<T[]> {
  const taken: T[] = [];
  while (taken.length < count) {
    const { done, value } = await subscription.next();
    if (done) break;
    taken.push(value.payload);
  }
  return taken;
}

/** Once these round trips are made, every subscription so far is level with its stream and hears announcements. */
async function settle({ live, connections }: ReturnType<typeof open>): Promise<void> {
  for (const connection of connections) await connection.ping();
  for (let trip = 0; trip < 5; trip += 1) await live.position('anywhere');
}

const channels = async () => (await admin.pubsub('CHANNELS', `${prefix}*`)) as string[];

async function until(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setImmediate(resolve));
}

const code = (name: string) => expect.objectContaining({ code: name });

beforeEach(() => {
  prefix = `t${randomUUID().slice(0, 8)}`;
});

afterEach(async () => {
  await Promise.all(opened.splice(0).map((live) => live.close()));
});

afterAll(() => admin.quit());

describe('publish', () => {
  test('gives cursors that grow, also after the clock stepped back', async () => {
    const { live } = open();
    await live.restore('board', '99999999999999-7', { payload: 'from a clock that was ahead' });

    const cursors = [await live.publish('board', { payload: 1 }), await live.publish('board', { payload: 2 })];

    expect(cursors).toEqual(['99999999999999-8', '99999999999999-9']);
    expect(await live.position('board')).toBe('99999999999999-9');
  });

  test('appends an event once for each topic, however often it is repeated', async () => {
    const { live } = open();
    const heard = live.subscribe('board');

    const cursors = await Promise.all(Array.from({ length: 5 }, () => live.publish('board', { eventId: 'evt_1', payload: 1 })));
    await live.publish('wall', { eventId: 'evt_1', payload: 1 });
    await live.publish('board', { payload: 2 });
    await live.publish('board', { payload: 2 });

    expect(new Set(cursors).size).toBe(1);
    expect(await take(heard, 3)).toEqual([1, 2, 2]);
    expect(await live.position('wall')).not.toBe('0-0');
  });

  test('appends and restores nothing once the mark is gone with which Redis was filled', async () => {
    const { live } = open();
    await admin.set(`${prefix}:mark`, 1);

    const before = await live.publishWhile(`${prefix}:mark`, 'board', { eventId: 'evt_1', payload: 1 });
    const kept = await live.restoreWhile(`${prefix}:mark`, 'wall', '5-0', { payload: 1 });
    await admin.del(`${prefix}:mark`);
    const after = await live.publishWhile(`${prefix}:mark`, 'board', { eventId: 'evt_2', payload: 2 });

    expect(kept).toBe(true);
    expect(after).toBeUndefined();
    expect(await live.restoreWhile(`${prefix}:mark`, 'wall', '6-0', { payload: 2 })).toBeUndefined();
    expect(await live.position('wall')).toBe('5-0');
    expect(await live.position('board')).toBe(before);
  });

  test('keeps about as many entries as it was told', async () => {
    const { live } = open(100);

    for (let index = 0; index < 1_000; index += 1) await live.publish('board', { payload: index });

    const kept = await admin.xlen(`${prefix}:live:board`);
    expect(kept).toBeGreaterThanOrEqual(100);
    expect(kept).toBeLessThan(400);
  });
});

describe('subscribe', () => {
  test('hears what is published after the call, in order', async () => {
    const { live } = open();
    const { live: elsewhere } = open();
    await live.publish('board', { payload: 'before' });

    const heard = live.subscribe('board');
    await live.publish('board', { payload: { note: 'first' } });
    await elsewhere.publish('board', { payload: ['second', null] });
    await live.publish('board', { payload: undefined });

    expect(await take(heard, 3)).toEqual([{ note: 'first' }, ['second', null], null]);
  });

  test('gives what was missed after a cursor, then what is new', async () => {
    const { live } = open();
    const first = await live.publish('board', { payload: 1 });
    await live.publish('board', { payload: 2 });

    const heard = live.subscribe('board', { after: first });
    expect(await take(heard, 1)).toEqual([2]);
    await live.publish('board', { payload: 3 });

    const { value } = await heard.next();
    expect(value).toEqual({ cursor: await live.position('board'), payload: 3 });
  });

  test('misses nothing between the position and the subscription, on an empty topic as well', async () => {
    const { live } = open();
    const position = await live.position('board');
    await live.publish('board', { payload: 1 });

    expect(position).toBe('0-0');
    expect(await take(live.subscribe('board', { after: position }), 1)).toEqual([1]);
  });

  test('serves many listeners of a topic by one channel, and leaves none behind', async () => {
    const { live } = open();
    const listeners = Array.from({ length: 3 }, () => live.subscribe('board'));
    const other = live.subscribe('wall');
    await live.publish('board', { payload: 1 });
    await live.publish('wall', { payload: 'w' });

    expect(await Promise.all(listeners.map((listener) => take(listener, 1)))).toEqual([[1], [1], [1]]);
    expect(await take(other, 1)).toEqual(['w']);
    expect((await channels()).toSorted()).toEqual([`${prefix}:live:board`, `${prefix}:live:wall`]);
    await listeners[0]?.return();
    await live.publish('board', { payload: 2 });
    expect(await take(listeners[1] as LiveSubscription, 1)).toEqual([2]);
    await Promise.all([...listeners, other].map((listener) => listener.return()));

    await until(async () => (await channels()).length === 0);
  });

  test('hears a topic again that was left a moment before', async () => {
    const { live } = open();
    const left = live.subscribe('board');
    await left.return();

    const heard = live.subscribe('board');
    await live.publish('board', { payload: 1 });

    expect(await take(heard, 1)).toEqual([1]);
  });

  test('gives a reader who is far behind everything, page by page', async () => {
    const { live } = open(5_000);
    const start = await live.position('board');
    const numbers = Array.from({ length: 2_500 }, (_, index) => index);
    await Promise.all(numbers.map((payload) => live.publish('board', { payload })));

    expect(await take(live.subscribe('board', { after: start }), 2_500)).toEqual(numbers);
  });

  test.each([['x'], [''], ['1'], ['1-'], ['-1-0'], ['01-0'], ['1-0\n'], ['99999999999999999999-0'], ['1-0 COUNT 1']])(
    'refuses the cursor %j',
    async (after) => {
      const { live } = open();
      const heard = live.subscribe('board', { after });

      await expect(heard.next()).rejects.toEqual(code('INVALID_CURSOR'));
      expect(await heard.next()).toEqual({ done: true, value: undefined });
    },
  );

  test('says that a cursor is of another topic, trimmed or wiped away, instead of skipping what it stood for', async () => {
    const { live } = open(100);
    const start = await live.position('board');
    const cursor = await live.publish('board', { payload: 1 });

    await expect(live.subscribe('wall', { after: cursor }).next()).rejects.toEqual(code('CURSOR_EXPIRED'));
    for (let index = 0; index < 500; index += 1) await live.publish('board', { payload: index });
    await expect(live.subscribe('board', { after: cursor }).next()).rejects.toEqual(code('CURSOR_EXPIRED'));
    await expect(live.subscribe('board', { after: start }).next()).rejects.toEqual(code('CURSOR_EXPIRED'));
    const newest = await live.position('board');
    await admin.del(`${prefix}:live:board`);
    await expect(live.subscribe('board', { after: newest }).next()).rejects.toEqual(
      expect.objectContaining({ code: 'CURSOR_EXPIRED', inputPath: ['after'] }),
    );
  });

  test('ends for a reader who lets 1,000 entries wait, and for nobody else', async () => {
    const here = open(5_000);
    const { live } = here;
    const slow = live.subscribe('board');
    const quick = live.subscribe('board');
    await settle(here);

    for (let round = 0; round < 11; round += 1) {
      const batch = Array.from({ length: 100 }, (_, index) => live.publish('board', { payload: index }));
      await Promise.all([...batch, take(quick, 100)]);
    }

    await expect(slow.next()).rejects.toEqual(expect.objectContaining({ code: 'SLOW_CONSUMER', retryable: true }));
    expect(await slow.next()).toEqual({ done: true, value: undefined });
    await live.publish('board', { payload: 'last' });
    expect(await take(quick, 1)).toEqual(['last']);
  });

  test.each([
    ['return', (heard: LiveSubscription) => heard.return()],
    ['an aborted signal', async (_heard: LiveSubscription, controller: AbortController) => controller.abort()],
    ['await using', (heard: LiveSubscription) => heard[Symbol.asyncDispose]()],
  ])('ends by %s, also for who is waiting', async (_way, leave) => {
    const { live } = open();
    const controller = new AbortController();
    const heard = live.subscribe('board', { signal: controller.signal });
    await live.publish('board', { payload: 1 });
    await take(heard, 1);
    const waiting = heard.next();

    await leave(heard, controller);

    expect(await waiting).toEqual({ done: true, value: undefined });
    await until(async () => (await channels()).length === 0);
  });

  test('does not begin under a signal that is aborted already', async () => {
    const { live } = open();

    expect(await live.subscribe('board', { signal: AbortSignal.abort() }).next()).toEqual({
      done: true,
      value: undefined,
    });
    expect(await channels()).toEqual([]);
  });

  test('ends for all when the process closes', async () => {
    const { live } = open();
    const waiting = [live.subscribe('board').next(), live.subscribe('wall').next()];

    await live.close();

    expect(await Promise.all(waiting)).toEqual([
      { done: true, value: undefined },
      { done: true, value: undefined },
    ]);
    expect(await live.subscribe('board').next()).toEqual({ done: true, value: undefined });
  });
});

describe('restore', () => {
  test('puts entries back under their old cursors, so that readers go on where they were', async () => {
    const { live } = open();
    const cursors: string[] = [];
    for (const payload of [1, 2, 3]) cursors.push(await live.publish('board', { eventId: `evt_${payload}`, payload }));
    await admin.del(`${prefix}:live:board`, ...[1, 2, 3].map((n) => `${prefix}:live-seen:board:evt_${n}`));

    const restored: boolean[] = [];
    for (const payload of [1, 2, 3])
      restored.push(await live.restore('board', cursors[payload - 1] as string, { eventId: `evt_${payload}`, payload }));

    expect(restored).toEqual([true, true, true]);
    expect(await live.restore('board', cursors[0] as string, { eventId: 'evt_0', payload: 0 })).toBe(false);
    expect(await live.publish('board', { eventId: 'evt_2', payload: 2 })).toBe(cursors[1]);
    expect(await take(live.subscribe('board', { after: cursors[0] as string }), 2)).toEqual([2, 3]);
  });
});

describe('a broken connection', () => {
  const ids = async () =>
    ((await admin.call('CLIENT', 'LIST')) as string)
      .split('\n')
      .filter((line) => line.includes(`name=${prefix} `))
      .map((line) => /id=(\d+)/.exec(line)?.[1] as string);

  test('costs a listener nothing, wherever it breaks', async () => {
    const { live, connections } = open();
    const heard = live.subscribe('board');
    await live.publish('board', { payload: 0 });
    expect(await take(heard, 1)).toEqual([0]);

    const again = connections.map((connection) => once(connection, 'ready'));
    for (const id of await ids()) await admin.call('CLIENT', 'KILL', 'ID', id);
    const { live: elsewhere } = open();
    await elsewhere.publish('board', { payload: 1 });
    await Promise.all(again);
    await elsewhere.publish('board', { payload: 2 });

    expect(await take(heard, 2)).toEqual([1, 2]);
  });

  test('ends a listener with CURSOR_EXPIRED when Redis came back empty', async () => {
    const { live } = open();
    const heard = live.subscribe('board');
    await live.publish('board', { payload: 0 });
    expect(await take(heard, 1)).toEqual([0]);

    await admin.del(`${prefix}:live:board`);
    for (const id of await ids()) await admin.call('CLIENT', 'KILL', 'ID', id);

    await expect(heard.next()).rejects.toEqual(code('CURSOR_EXPIRED'));
  });

  test('loses nothing for a cursor while a wiped Redis is being filled again; once it is, what is not there has expired', async () => {
    const { live } = open();
    const mark = `${prefix}:mark`;
    await admin.set(mark, '1');
    const cursors = [];
    for (const payload of [0, 1]) cursors.push(await live.publish('board', { payload }));
    await admin.del(mark, `${prefix}:live:board`);
    const heard = live.subscribe('board', { after: cursors[0]!, mark });
    const first = heard.next();

    await delay(150);
    for (const payload of [0, 1]) await live.restore('board', cursors[payload]!, { payload });
    await admin.set(mark, '1');

    expect((await first).value?.payload).toBe(1);
    await admin.del(`${prefix}:live:board`);
    await expect(live.subscribe('board', { after: cursors[0]!, mark }).next()).rejects.toEqual(code('CURSOR_EXPIRED'));
  });

  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);

  test(`and readers cut off at random get each entry once, in order (SEED=${seed})`, async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const), count: fc.integer({ min: 1, max: 40 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('cut' as const), count: fc.constant(0) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('kill' as const), count: fc.integer({ min: 0, max: 3 }) }) },
    );
    const run = async (total: number, steps: { kind: 'take' | 'cut' | 'kill'; count: number }[]) => {
      const topic = `board-${randomUUID()}`;
      const here = open();
      const there = open();
      const { live: reader } = here;
      const { live: writer } = there;
      let cursor = await reader.position(topic);
      let heard = reader.subscribe<number>(topic, { after: cursor });
      const taken: number[] = [];
      const takeOne = async () => {
        const { value } = await heard.next();
        taken.push(value.payload);
        cursor = value.cursor;
      };
      const write = async () => {
        // Kills hit publishes under way, which ioredis then sends again: the event id must hold them single.
        for (let n = 0; n < total; n += 1) await writer.publish(topic, { eventId: `evt_${n}`, payload: n });
      };

      const writing = write();
      for (const { kind, count } of steps) {
        for (let n = 0; kind === 'take' && n < count && taken.length < total; n += 1) await takeOne();
        if (kind === 'kill') await admin.call('CLIENT', 'KILL', 'ID', (await ids())[count] ?? '0').catch(() => undefined);
        if (kind === 'cut') {
          await heard.return();
          heard = reader.subscribe(topic, { after: cursor });
        }
      }
      await writing;
      while (taken.length < total) await takeOne();
      await writer.publish(topic, { payload: -1 });
      await takeOne();

      expect(taken).toEqual([...Array(total).keys(), -1]);
      // A connection that is being made again would outlive the test until its time limit.
      await Promise.all([...here.connections, ...there.connections].map((connection) => connection.ping()));
      await Promise.all([reader.close(), writer.close()]);
    };
    const steps = fc.array(step, { minLength: 5, maxLength: 30 });

    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 400 }), steps, run), {
      seed,
      numRuns: 40,
      endOnFailure: true,
    });
  });
});
