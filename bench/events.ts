import { setTimeout as delay } from 'node:timers/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { newId } from '#shared/base/ids.ts';
import { defineEvent, onEvent, type EventOrdering } from '#shared/kit/define-event.ts';
import { outboxOf } from '#shared/messaging/outbox.ts';
import { provideSecrets } from '#shared/process/development-secrets.ts';
import { KIT_DATABASE, openHost, type Host } from '#shared/runtime/host.ts';
import { subgraph } from '#shared/testing/fixture-subgraph/subgraph.ts';

/*
 * What order per key costs: the same events, from publication to the end of their handler, in the order of their keys and in any order. The
 * producer and the consumer are two hosts of this process.
 */

const AT_ONCE = 50;
const POLL_MS = 20;

const schema = z.object({ thingId: z.string(), step: z.number(), at: z.number() });
const thingMoved = defineEvent('Thing.Moved', schema, { key: ({ thingId }) => thingId });

interface Handled {
  lagsMs: number[];
  /** Events that were handled after a later one of their key. */
  faults: number;
}

export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: { events: { type: 'string', default: '4000' }, keys: { type: 'string', default: '400' } },
  });
  const [events, keys] = [Number(values.events), Number(values.keys)];
  provideSecrets(join(import.meta.dirname, '../.data/bench/secrets.json'));
  const ordered = await measure('BY_KEY', events, keys);
  const unordered = await measure('ANY', events, keys);
  const hot = await measure('BY_KEY', Math.ceil(events / 4), 1);
  return {
    orderedPerSecond: ordered.perSecond,
    unorderedPerSecond: unordered.perSecond,
    orderRatio: round(unordered.perSecond / ordered.perSecond),
    oneKeyPerSecond: hot.perSecond,
    lagMedianMs: ordered.lagMedianMs,
    lagP99Ms: ordered.lagP99Ms,
    orderFaults: ordered.faults + hot.faults,
    unorderedFaults: unordered.faults,
  };
}

async function measure(ordering: EventOrdering, events: number, keys: number) {
  const prefix = newId('bench').toLowerCase();
  const handled: Handled = { lagsMs: [], faults: 0 };
  const last = new Map<string, number>();
  const handle = async (_ctx: unknown, { thingId, step, at }: z.infer<typeof schema>): Promise<void> => {
    if ((last.get(thingId) ?? -1) > step) handled.faults += 1;
    last.set(thingId, step);
    handled.lagsMs.push(Date.now() - at);
  };
  const open = (name: string, handlers: (typeof subgraph)['handlers']): Promise<Host> =>
    openHost([{ ...subgraph, name, handlers, operationsApi: false }], {
      mongodbUri: process.env['MONGODB_URI']!,
      redisUrl: process.env['REDIS_URL']!,
      databasePrefix: `${prefix}_`,
      redisPrefix: prefix,
    });
  const consumer = await open('watchers', [onEvent(thingMoved, handle, { ordering })]);
  const producer = await open('things', []);
  try {
    const since = performance.now();
    await publish(producer, events, keys);
    const rows = outboxOf(producer.runtimes.get('things')!.db);
    while (handled.lagsMs.length < events || (await rows.findOne({ state: 'NEW' })) !== null) await delay(POLL_MS);
    const seconds = (performance.now() - since) / 1_000;
    const lags = handled.lagsMs.toSorted((a, b) => a - b);
    return {
      perSecond: Math.round(events / seconds),
      lagMedianMs: lags[Math.floor(lags.length / 2)],
      lagP99Ms: lags[Math.floor(lags.length * 0.99)],
      faults: handled.faults,
    };
  } finally {
    for (const name of ['things', 'watchers', KIT_DATABASE])
      await producer.client.useDb(`${prefix}_${name}`, { useCache: false }).dropDatabase();
    await producer.close();
    await consumer.close();
  }
}

/** In transactions of fifty events, each of another key where there are enough. */
async function publish(host: Host, events: number, keys: number): Promise<void> {
  const ctx = host.runtimes.get('things')!.context({ issuer: 'bench', viewer: null });
  for (let first = 0; first < events; first += AT_ONCE) {
    await ctx.transaction(async (inner) => {
      for (let step = first; step < Math.min(first + AT_ONCE, events); step += 1)
        inner.publish(thingMoved({ thingId: `thing_${step % keys}`, step, at: Date.now() }));
    });
  }
}

const round = (value: number): number => Math.round(value * 100) / 100;
