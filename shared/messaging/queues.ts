import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Envelope } from '../kit/define-event.ts';

/** One entry of a queue: the envelope, and the subgraph that waits for the acknowledgement. */
export interface Delivery {
  envelope: Envelope;
  from: string;
}

/** Attempts before a delivery becomes a dead letter: 0.2 s doubling makes about 50 minutes, enough for a dependency to recover. */
export const ATTEMPTS = 14;
const BACKOFF_MS = 200;

/** The process's queues, opened on first use. Finished jobs are removed at once, so that the same id can be added again. */
export function createQueues(connection: Redis, prefix: string) {
  const open = new Map<string, Queue>();

  const queue = (name: string): Queue => {
    let found = open.get(name);
    if (!found) {
      found = new Queue(name, { connection, prefix, skipVersionCheck: true });
      found.on('error', () => undefined); // ioredis reports and reconnects; the outbox repeats what was lost
      open.set(name, found);
    }
    return found;
  };

  return {
    queue,
    /** Adds envelopes in their order, in one round trip. An id that is on the queue stays as it is. */
    async add(name: string, envelopes: readonly Envelope[], from: string): Promise<void> {
      await queue(name).addBulk(
        envelopes.map((envelope) => ({
          name: envelope.type,
          data: { envelope, from } satisfies Delivery,
          opts: {
            jobId: envelope.id,
            attempts: ATTEMPTS,
            backoff: { type: 'exponential', delay: BACKOFF_MS, jitter: 0.5 },
            removeOnComplete: true,
            removeOnFail: true,
          },
        })),
      );
    },
    async obliterate(): Promise<void> {
      for (const each of open.values()) await each.obliterate({ force: true }).catch(() => undefined);
    },
    async close(): Promise<void> {
      for (const each of open.values()) await each.close();
    },
  };
}

export type Queues = ReturnType<typeof createQueues>;
