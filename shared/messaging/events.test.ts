import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { Problem } from '../base/errors.ts';
import { onAnyEvent, onEvents } from '../kit/batch-handler.ts';
import type { AnyContext } from '../kit/context.ts';
import { defineEvent, onEvent, type Envelope, type PublishedMessage } from '../kit/define-event.ts';
import { defineExport, handleExport, readExport } from '../kit/define-export.ts';
import { defineJob } from '../kit/define-job.ts';
import { openHost, KIT_DATABASE, type Host } from '../runtime/host.ts';
import { dropDatabases } from '../testing/drop-databases.ts';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { deadLettersOf } from './consumer.ts';
import { outboxOf } from './outbox.ts';

type Handlers = (typeof subgraph)['handlers'];

interface Step {
  thingId: string;
  step: number;
}

const Step = z.object({ thingId: z.string(), step: z.number(), timestamp: z.iso.datetime() });
const thingMoved = defineEvent('Thing.Moved', Step, { key: ({ thingId }) => thingId });
const thingPainted = defineEvent('Thing.Painted', Step, { key: ({ thingId }) => thingId });
const sweepJob = defineJob('sweep-things', { payload: z.object({ thingId: z.string() }) });

const seed = randomInt(2 ** 31);
let state = seed;
const random = (): number => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;

let run: string;
let hosts: Host[];
beforeEach(() => {
  run = `t${randomBytes(6).toString('hex')}`;
  hosts = [];
});
afterEach(async () => {
  const [host] = hosts;
  const names = ['things', 'watchers', 'late', KIT_DATABASE];
  if (host) await dropDatabases(names.map((name) => host.client.useDb(`${run}_${name}`, { useCache: false })));
  for (const each of hosts) await each.close();
});

/** A process of these subgraphs, as far as the stores can tell. */
async function start(subgraphs: Record<string, Handlers>): Promise<Host> {
  const host = await openHost(
    Object.entries(subgraphs).map(([name, handlers]) => ({ ...subgraph, name, handlers, operationsApi: false })),
    {
      mongodbUri: process.env['MONGODB_URI']!,
      redisUrl: process.env['REDIS_URL']!,
      databasePrefix: `${run}_`,
      redisPrefix: run,
      environment: { NODE_ENV: 'test' },
      remote: (name) => hosts.map(({ runtimes }) => runtimes.get(name)).find((found) => found !== undefined),
    },
  );
  hosts.push(host);
  return host;
}

const contextOf = (host: Host, name = 'things'): AnyContext => host.runtimes.get(name)!.context({ issuer: 'test', viewer: null });
const publish = (host: Host, ...messages: PublishedMessage<any>[]): Promise<void> =>
  contextOf(host).transaction(async (inner) => inner.publish(...messages));

async function until(isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + 20_000;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`It did not come true: ${String(isTrue)}`);
    await delay(10);
  }
}

const rowsOf = (host: Host) => outboxOf(host.runtimes.get('things')!.db);
const isAllDone = async (host: Host): Promise<boolean> => (await rowsOf(host).findOne({ state: { $in: ['NEW', 'SENT'] } })) === null;
/** A lost Redis is empty at one moment. */
const wipe = (host: Host) =>
  host.redis.eval("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', key) end", 0, `${run}:*`);

/** A handler that takes its time, and what it has handled, by key. */
function recorder() {
  const steps = new Map<string, number[]>();
  let running = 0;
  let most = 0;
  const handle = async (_ctx: AnyContext, { thingId, step }: Step): Promise<void> => {
    most = Math.max(most, (running += 1));
    await delay(random() * 15);
    running -= 1;
    steps.set(thingId, [...(steps.get(thingId) ?? []), step]);
  };
  return { steps, handle, mostAtOnce: () => most };
}

const THINGS = ['thing_a', 'thing_b', 'thing_c', 'thing_d', 'thing_e'];
const counted = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

describe('events of one key', () => {
  test('are handled in the order of their commits, over two types and two processes, while those of other keys go on', async () => {
    console.info(`seed ${seed}`);
    const { steps, handle, mostAtOnce } = recorder();
    const handlers = [onEvent(thingMoved, handle), onEvent(thingPainted, handle)];
    const host = await start({ things: [], watchers: handlers });
    await start({ things: [], watchers: handlers });

    for (const step of counted(20)) {
      const event = step % 3 === 0 ? thingPainted : thingMoved;
      await publish(hosts[step % 2]!, ...THINGS.map((thingId) => event({ thingId, step })));
    }

    await until(() => isAllDone(host));
    expect(Object.fromEntries(steps)).toEqual(Object.fromEntries(THINGS.map((id) => [id, counted(20)])));
    expect(mostAtOnce()).toBeGreaterThan(1);
  });

  test('carry a sequence that grows, and the time at which they occurred as their timestamp', async () => {
    const seen: Envelope<z.infer<typeof Step>>[] = [];
    const host = await start({ things: [], watchers: [onEvent(thingMoved, async (_ctx, _data, envelope) => void seen.push(envelope))] });

    await publish(host, thingMoved({ thingId: 'thing_a', step: 0 }), thingMoved({ thingId: 'thing_a', step: 1 }));
    await publish(host, thingMoved({ thingId: 'thing_a', step: 2 }));

    await until(() => seen.length === 3);
    const sequences = seen.map(({ sequence }) => sequence!);
    expect(sequences).toEqual([...new Set(sequences)].sort((a, b) => a - b));
    expect(seen.map(({ key }) => key)).toEqual(['thing_a', 'thing_a', 'thing_a']);
    expect(seen.map(({ data }) => data.timestamp)).toEqual(seen.map(({ occurredAt }) => occurredAt));
  });

  test('are all handled once and in order although Redis is wiped while they are on their way', async () => {
    const { steps, handle } = recorder();
    const host = await start({ things: [], watchers: [onEvent(thingMoved, handle)] });

    for (const step of counted(24)) {
      await publish(host, ...THINGS.slice(0, 2).map((thingId) => thingMoved({ thingId, step })));
      if (step % 8 === 7) await wipe(host);
    }

    await until(() => isAllDone(host));
    for (const id of THINGS.slice(0, 2)) expect(new Set(steps.get(id))).toEqual(new Set(counted(24)));
    expect(steps.size).toBe(2);
  });

  test('pass one that is refused, which becomes a dead letter', async () => {
    const { steps, handle } = recorder();
    const picky = async (ctx: AnyContext, data: Step): Promise<void> => {
      if (data.step === 1) throw new Problem('POISON', 'Not this one.');
      await handle(ctx, data);
    };
    const host = await start({ things: [], watchers: [onEvent(thingMoved, picky)] });

    await publish(host, ...counted(3).map((step) => thingMoved({ thingId: 'thing_a', step })));

    await until(() => isAllDone(host));
    expect(steps.get('thing_a')).toEqual([0, 2]);
    expect(await deadLettersOf(host.runtimes.get('watchers')!.db).countDocuments()).toBe(1);
  });

  test('wait for one that fails, and pass it after its tenth attempt', async () => {
    const { steps, handle } = recorder();
    const attempts: number[] = [];
    const failing = async (ctx: AnyContext, data: Step): Promise<void> => {
      if (data.step === 0) {
        attempts.push(steps.size);
        throw new Error('a bug');
      }
      await handle(ctx, data);
    };
    const host = await start({ things: [], watchers: [onEvent(thingMoved, failing)] });

    await publish(host, ...counted(3).map((step) => thingMoved({ thingId: 'thing_a', step })));

    const queue = host.queues.queue('watchers');
    await until(async () => {
      for (const job of await queue.getDelayed()) await job.promote().catch(() => undefined);
      return steps.get('thing_a')?.length === 2;
    });
    expect(steps.get('thing_a')).toEqual([1, 2]);
    expect(attempts.slice(0, 10)).toEqual(attempts.slice(0, 10).map(() => 0));
    expect(attempts.length).toBeGreaterThanOrEqual(10);
  });

  test('that are older than the newest one handled are dropped where only the newest counts', async () => {
    const { steps, handle } = recorder();
    const host = await start({ things: [], watchers: [onEvent(thingMoved, handle, { ordering: 'NEWEST_WINS' })] });
    const deliver = async (step: number, sequence: number): Promise<void> => {
      const data = { thingId: 'thing_a', step, timestamp: new Date().toISOString() };
      const envelope = {
        id: `evt_${step}`,
        type: 'Thing.Moved',
        version: 1,
        key: 'thing_a',
        sequence,
        occurredAt: '',
        correlationId: 'c',
        data,
      };
      await host.runtimes.get('watchers')!.consumers[0]!.deliver({ envelope, from: 'things' }, 1);
    };

    for (const [step, sequence] of [
      [1, 10],
      [3, 30],
      [2, 20],
      [3, 30],
      [4, 40],
    ] as const)
      await deliver(step, sequence);

    expect(steps.get('thing_a')).toEqual([1, 3, 4]);
  });
});

describe('a consumer', () => {
  test('that is deployed after its events receives what the outbox still holds, in order, and what comes then', async () => {
    const { steps, handle } = recorder();
    const first = await start({ things: [] });
    await publish(first, ...counted(5).map((step) => thingMoved({ thingId: 'thing_a', step })));
    await until(() => isAllDone(first));

    await start({ late: [onEvent(thingMoved, handle)] });
    await publish(first, thingMoved({ thingId: 'thing_a', step: 5 }));

    await until(() => steps.get('thing_a')?.includes(0) ?? false);
    await until(() => isAllDone(first));
    expect(new Set(steps.get('thing_a'))).toEqual(new Set(counted(6)));
    expect(steps.get('thing_a')).toHaveLength(6);
  });

  test('that is deployed before its producer misses nothing', async () => {
    const { steps, handle } = recorder();
    await start({ late: [onEvent(thingMoved, handle)] });
    const producer = await start({ things: [] });

    await publish(producer, thingMoved({ thingId: 'thing_a', step: 0 }));

    await until(() => steps.get('thing_a')?.length === 1);
  });

  test('has the effect of a replayed event once more, and only that consumer', async () => {
    const mine = recorder();
    const others = recorder();
    const host = await start({ things: [], watchers: [onEvent(thingMoved, mine.handle)], late: [onEvent(thingMoved, others.handle)] });
    await publish(host, ...counted(3).map((step) => thingMoved({ thingId: 'thing_a', step })));
    await until(() => isAllDone(host));

    await contextOf(host, 'watchers').replay(thingMoved, { since: new Date(Date.now() - 60_000) });

    await until(() => mine.steps.get('thing_a')?.length === 6);
    await until(() => isAllDone(host));
    expect(mine.steps.get('thing_a')).toEqual([0, 1, 2, 0, 1, 2]);
    expect(others.steps.get('thing_a')).toEqual([0, 1, 2]);
  });

  test('of another version of an event is not given this one', async () => {
    const { steps, handle } = recorder();
    const next = defineEvent('Thing.Moved', Step, { version: 2, key: ({ thingId }) => thingId });
    const host = await start({ things: [], watchers: [onEvent(next, handle)] });

    await publish(host, thingMoved({ thingId: 'thing_a', step: 0 }), next({ thingId: 'thing_a', step: 1 }));

    await until(() => isAllDone(host));
    expect(steps.get('thing_a')).toEqual([1]);
  });
});

describe('a batch', () => {
  test('holds several events, of each key in order, and one that fails concerns itself only', async () => {
    const batches: number[] = [];
    const steps: Record<string, number[]> = {};
    let refused = 0;
    const index = async (_ctx: AnyContext, envelopes: readonly Envelope<z.infer<typeof Step>>[]): Promise<void> => {
      if (envelopes.some(({ data }) => data.step === 13)) {
        refused += 1;
        throw new Problem('POISON', 'Not this one.');
      }
      batches.push(envelopes.length);
      for (const { data } of envelopes) (steps[data.thingId] ??= []).push(data.step);
    };
    const host = await start({ things: [], watchers: [onEvents('index', [thingMoved, thingPainted], index, { max: 20, waitMs: 200 })] });

    await publish(host, ...counted(50).map((step) => thingMoved({ thingId: THINGS[step % 5]!, step })));

    await until(() => isAllDone(host));
    const handled = Object.values(steps).flat();
    expect(handled.sort((a, b) => a - b)).toEqual(counted(50).filter((step) => step !== 13));
    expect(Math.max(...batches)).toBeGreaterThan(1);
    expect(Math.max(...batches)).toBeLessThanOrEqual(20);
    expect(refused).toBeGreaterThanOrEqual(1);
    expect(await deadLettersOf(host.runtimes.get('watchers')!.db).countDocuments()).toBe(1);
  });

  test('of the newest events only leaves out the older ones of a key', async () => {
    const seen: number[] = [];
    const index = async (_ctx: AnyContext, envelopes: readonly Envelope<z.infer<typeof Step>>[]): Promise<void> => {
      seen.push(...envelopes.map(({ data }) => data.step));
    };
    const host = await start({ things: [], watchers: [onEvents('index', [thingMoved], index, { waitMs: 300, newestOnly: true })] });

    await publish(host, ...counted(30).map((step) => thingMoved({ thingId: 'thing_a', step })));

    await until(() => isAllDone(host));
    expect(seen.at(-1)).toBe(29);
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.length).toBeLessThan(30);
  });

  test('for any event holds those of every subgraph, and no jobs', async () => {
    const seen = new Set<string>();
    const record = async (_ctx: AnyContext, envelopes: readonly Envelope[]): Promise<void> => {
      for (const { type } of envelopes) seen.add(type);
    };
    const host = await start({ things: [], watchers: [onAnyEvent('record', record)] });

    await contextOf(host).transaction(async (inner) => {
      inner.publish(thingMoved({ thingId: 'thing_a', step: 0 }));
      inner.enqueue(sweepJob({ thingId: 'thing_a' }));
    });
    await contextOf(host, 'watchers').transaction(async (inner) => inner.publish(thingPainted({ thingId: 'thing_a', step: 1 })));

    await until(() => seen.size === 2);
    await until(async () => (await rowsOf(host).findOne({ type: 'Thing.Moved', state: 'DONE' })) !== null);
    expect(seen).toEqual(new Set(['Thing.Moved', 'Thing.Painted']));
  });
});

test('an export is read page by page, and goes on where a reader was interrupted', async () => {
  const listThings = defineExport('things', 'listThings', { row: z.object({ id: z.number() }), pageSize: 4 });
  const read = async (_ctx: AnyContext, { after, limit }: { after: string | null; limit: number }) => {
    const rows = counted(10)
      .filter((id) => id > Number(after ?? -1))
      .slice(0, limit);
    return { rows: rows.map((id) => ({ id })), next: rows.length === limit ? String(rows.at(-1)) : null };
  };
  const host = await start({ things: [handleExport(listThings, read)], watchers: [] });
  const pages = async (after: string | null): Promise<number[][]> => {
    const found: number[][] = [];
    for await (const { rows } of readExport(contextOf(host, 'watchers'), listThings, after)) found.push(rows.map(({ id }) => id));
    return found;
  };

  expect(await pages(null)).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9],
  ]);
  expect(await pages('7')).toEqual([[8, 9]]);
});
