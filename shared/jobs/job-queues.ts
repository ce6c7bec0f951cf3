import { OWN_QUEUE, type AnyJob, type JobHandler } from '../kit/define-job.ts';
import type { Queues } from '../messaging/queues.ts';

/** One queue of a subgraph, with what all of its jobs agree on. */
export interface JobQueue {
  name: string;
  /** Runs at a time in this process. */
  perProcess: number;
  /** Runs at a time in all processes. */
  total: number | undefined;
  rate: AnyJob['rate'];
}

/** The queue of `scheduledJob`s. */
const ownQueue = (subgraph: string): string => `${subgraph}-jobs`;

export const queueNameOf = (subgraph: string, job: AnyJob): string => (job.queue === OWN_QUEUE ? ownQueue(subgraph) : job.queue);

/** The queues of a subgraph. Jobs of one queue that want different limits are a fault of the code. */
export function jobQueuesOf(subgraph: string, handlers: readonly JobHandler[]): JobQueue[] {
  const groups = Map.groupBy(handlers, ({ job }) => queueNameOf(subgraph, job));
  return [...groups].map(([name, group]) => {
    const [first, ...others] = group.map(({ job: { concurrency, rate } }) => JSON.stringify({ concurrency, rate }));
    if (others.some((each) => each !== first))
      throw new Error(
        `The jobs of the queue ${name} declare different values of concurrency or rate: give them the same, or queues of their own.`,
      );
    const { concurrency, rate } = group[0]!.job;
    // One for each job and one for skipped turns: no job of this queue waits for another.
    const perProcess = name === ownQueue(subgraph) ? group.length + 1 : concurrency.perProcess;
    return { name, perProcess, total: concurrency.total, rate };
  });
}

/** Tells Redis the limits over all processes; again after it was wiped. A limit that was removed from the code is removed. */
export async function setLimits(queues: Pick<Queues, 'queue'>, jobQueues: readonly JobQueue[]): Promise<void> {
  for (const { name, total, rate } of jobQueues) {
    const queue = queues.queue(name);
    await (total === undefined ? queue.removeGlobalConcurrency() : queue.setGlobalConcurrency(total));
    await (rate === undefined ? queue.removeGlobalRateLimit() : queue.setGlobalRateLimit(rate.max, rate.perMs));
  }
}
