import { z } from 'zod';
import { defineJob, handleJob, type JobRun } from '../../kit/define-job.ts';
import { openHost, type Host } from '../../runtime/host.ts';
import { subgraph, type Ctx } from '../fixture-subgraph/subgraph.ts';

/* Jobs for tests in which a process is killed while it runs them. */

const payload = z.object({ title: z.string() });
/** Its effect and its end are one transaction. */
export const inTransaction = defineJob('in-transaction', { payload });
/** Its action makes transactions of its own. */
export const inSteps = defineJob('in-steps', { payload });
export const exclusive = defineJob('exclusive', { payload, exclusive: ({ title }) => title });

/** Runs in the middle of each action, after its effect. */
type Middle = (ctx: Ctx, run: JobRun) => Promise<void>;

function handlersWith(middle: Middle) {
  const write = async (ctx: Ctx, { title }: { title: string }, run: JobRun): Promise<void> => {
    await ctx.models.Board.create([{ title }]);
    await middle(ctx, run);
  };
  return [
    handleJob(inTransaction, write),
    handleJob(inSteps, (ctx: Ctx, input, run) => ctx.transaction((inner) => write(inner, input, run)), { idempotent: true }),
    handleJob(exclusive, write),
  ];
}

/** A process with these jobs, on databases and queues of this prefix. */
export const openJobs = (prefix: string, middle: Middle): Promise<Host> =>
  openHost([{ ...subgraph, handlers: handlersWith(middle) }], {
    mongodbUri: process.env['MONGODB_URI']!,
    redisUrl: process.env['REDIS_URL']!,
    databasePrefix: `${prefix}_`,
    redisPrefix: prefix,
    environment: { NODE_ENV: 'test' },
  });
