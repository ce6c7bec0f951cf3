import type { Queues } from '../messaging/queues.ts';
import type { JobRunRow } from './store.ts';

/** What a queue holds of a run: its row is read when its turn has come. */
export interface Wake {
  runId: string;
}

/** BullMQ's numbers: 1 goes first. Entries without one, which are deliveries from other subgraphs, go before all. */
const PRIORITY = { HIGH: 1, NORMAL: 10, LOW: 100 } as const;

/** Unequal for each attempt, so that a run can be put back while its last turn is still on the queue; equal for each repetition. */
export const wakeId = ({ _id, token }: Pick<JobRunRow, '_id' | 'token'>): string => `${_id}.${token}`;

/** Puts runs on their queues. A run that is there stays where it is. */
export async function wake(queues: Pick<Queues, 'queue'>, runs: readonly JobRunRow[], now: Date): Promise<void> {
  const entry = (run: JobRunRow) => ({
    name: run.job,
    data: { runId: run._id } satisfies Wake,
    opts: {
      jobId: wakeId(run),
      delay: Math.max(0, run.runAt.getTime() - now.getTime()),
      priority: PRIORITY[run.priority],
      removeOnComplete: true,
      removeOnFail: true,
    },
  });
  await Promise.all([...Map.groupBy(runs, ({ queue }) => queue)].map(([name, group]) => queues.queue(name).addBulk(group.map(entry))));
}
