import { parseArgs } from 'node:util';
import { z } from 'zod';
import { jobRunsOf } from '#shared/jobs/store.ts';
import type { AnyContext } from '#shared/kit/context.ts';
import { defineJob, handleJob } from '#shared/kit/define-job.ts';
import { openHost, type Host } from '#shared/runtime/host.ts';
import { subgraph } from '#shared/testing/fixture-subgraph/subgraph.ts';

/* `npm run bench -- jobs`: two hosts share the jobs of one subgraph. */

const PREFIX = `bench_${Date.now().toString(36)}`;
const ENQUEUED_AT_ONCE = 50;
const EXCLUSIVE_KEYS = 4;
const LONG_MS = 10_000;
const payload = z.object({ number: z.number() });

const write = defineJob('bench-write', { payload });
const short = defineJob('bench-short', { payload });
const long = defineJob('bench-long', { payload });
const alone = defineJob('bench-alone', { payload, exclusive: ({ number }) => String(number % EXCLUSIVE_KEYS) });

const pause = (ms: number, signal?: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener('abort', () => (clearTimeout(timer), resolve()));
  });

export async function run(args: string[]): Promise<Record<string, unknown>> {
  const { values } = parseArgs({
    args,
    options: { jobs: { type: 'string', default: '1000' }, exclusive: { type: 'string', default: '40' } },
  });
  const running = new Map<number, number>();
  let overlap = 0;
  let shortEnded: () => void = () => undefined;
  const handlers = [
    handleJob(write, (ctx: AnyContext, { number }) => ctx.models.Board.create([{ title: `bench ${number}` }])),
    handleJob(short, async () => shortEnded(), { idempotent: true }),
    handleJob(long, (_ctx, _input, { signal }) => pause(LONG_MS, signal), { idempotent: true }),
    handleJob(
      alone,
      async (_ctx, { number }) => {
        const key = number % EXCLUSIVE_KEYS;
        const others = running.get(key) ?? 0;
        if (others > 0) overlap += 1;
        running.set(key, others + 1);
        await pause(20);
        running.set(key, running.get(key)! - 1);
      },
      { idempotent: true },
    ),
  ];
  const hosts = [await open(handlers), await open(handlers)];
  const { db } = hosts[0]!.runtimes.get('boards')!;
  const ctx = hosts[0]!.runtimes.get('boards')!.context({ issuer: 'bench', viewer: null });
  const { jobs } = hosts[0]!.runtimes.get('boards')!;
  const ended = async (): Promise<void> => {
    while ((await jobs.pending()) > 0) await pause(100);
  };
  try {
    const jobsPerSecond = await rate(Number(values.jobs), async (from, to) => {
      for (let at = from; at < to; at += ENQUEUED_AT_ONCE)
        await ctx.transaction(async (inner) => {
          for (let number = at; number < Math.min(at + ENQUEUED_AT_ONCE, to); number += 1) inner.enqueue(write({ number }));
        });
      await ended();
    });
    await ctx.transaction(async (inner) => {
      for (let number = 0; number < Number(values.exclusive); number += 1) inner.enqueue(alone({ number }));
    });
    await ended();

    // More long jobs than both hosts run at a time.
    const idle = await shortDelay();
    await ctx.transaction(async (inner) => {
      for (let number = 0; number < 20; number += 1) inner.enqueue(long({ number }));
    });
    while ((await jobRunsOf(db).countDocuments({ job: 'bench-long', state: 'RUNNING' })) === 0) await pause(20);
    const beside = await shortDelay();
    const effects = await db.collection('boards').countDocuments();
    return { jobsPerSecond, overlap, effectsPerJob: effects / Number(values.jobs), shortIdleMs: idle, shortBesideLongMs: beside };
  } finally {
    await db.dropDatabase();
    for (const host of hosts) await host.close();
  }

  /** Median ms from the call of `transaction` to the end of the job's action. */
  async function shortDelay(): Promise<number> {
    const delays: number[] = [];
    for (let number = 0; number < 11; number += 1) {
      const since = performance.now();
      const done = new Promise<void>((resolve) => (shortEnded = resolve));
      await ctx.transaction(async (inner) => inner.enqueue(short({ number })));
      await done;
      delays.push(performance.now() - since);
    }
    return Math.round(delays.toSorted((a, b) => a - b)[5]!);
  }
}

const open = (handlers: (typeof subgraph)['handlers']): Promise<Host> =>
  openHost([{ ...subgraph, handlers }], {
    mongodbUri: process.env['MONGODB_URI']!,
    redisUrl: process.env['REDIS_URL']!,
    databasePrefix: `${PREFIX}_`,
    redisPrefix: PREFIX,
  });

async function rate(count: number, work: (from: number, to: number) => Promise<void>): Promise<number> {
  await work(0, Math.min(ENQUEUED_AT_ONCE, count)); // Warm.
  const since = performance.now();
  await work(ENQUEUED_AT_ONCE, count);
  return Math.round((count - ENQUEUED_AT_ONCE) / ((performance.now() - since) / 1_000));
}
