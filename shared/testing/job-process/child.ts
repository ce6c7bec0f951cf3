import { jobRunsOf } from '../../jobs/store.ts';
import type { Ctx } from '../fixture-subgraph/subgraph.ts';
import { exclusive, inSteps, inTransaction, openJobs } from './jobs.ts';

/* `child.ts PREFIX running|committed` enqueues jobs and dies while all of them run, or before their queue knows of them. */

const [prefix = '', moment = ''] = process.argv.slice(2);
const ENQUEUED = 3;
const die = (): void => void process.kill(process.pid, 'SIGKILL');

const host = await openJobs(prefix, async ({ db }) => {
  while ((await jobRunsOf(db).countDocuments({ state: 'RUNNING' })) < ENQUEUED) await new Promise((resolve) => setTimeout(resolve, 10));
  die();
  await new Promise(() => undefined);
});
const ctx = host.runtimes.get('boards')!.context({ issuer: 'test', viewer: null }) as Ctx;
await ctx.transaction(async (inner) => {
  for (const job of [inTransaction, inSteps, exclusive]) inner.enqueue(job({ title: job.type }));
  if (moment === 'committed') inner.afterCommit(async () => die());
});
