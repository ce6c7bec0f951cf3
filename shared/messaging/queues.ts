import { Queue } from 'bullmq';
import type { Redis } from 'ioredis';
import type { Envelope } from '../kit/define-event.ts';
import { acknowledgementOf } from './acknowledgements.ts';
import { queueOf, replayOf } from './consumers.ts';
import { createKeyLines } from './key-lines.ts';

/** One entry of a queue: the envelope, and the subgraph that waits for the acknowledgement. */
export interface Delivery {
  envelope: Envelope;
  from: string;
  /** The consumer as `consumers.ts` names it; the queue when absent. */
  to?: string;
}

/** Attempts before a delivery becomes a dead letter: 0.2 s doubling makes about 50 minutes, enough for a dependency to recover. */
export const ATTEMPTS = 14;
const BACKOFF_MS = 200;

/** The process's queues, opened on first use. Finished jobs are removed at once, so that the same id can be added again. */
export function createQueues(connection: Redis, prefix: string) {
  const open = new Map<string, Queue>();
  const lines = createKeyLines(connection, prefix);

  const queue = (name: string): Queue => {
    let found = open.get(name);
    if (!found) {
      found = new Queue(name, { connection, prefix, skipVersionCheck: true });
      found.on('error', () => undefined); // ioredis reports and reconnects; the outbox repeats what was lost
      open.set(name, found);
    }
    return found;
  };

  const addDeliveries = async (name: string, deliveries: readonly Delivery[]): Promise<void> => {
    if (deliveries.length === 0) return;
    await queue(name).addBulk(
      deliveries.map((delivery) => ({
        name: delivery.envelope.type,
        data: delivery,
        opts: {
          jobId: jobIdOf(delivery),
          attempts: ATTEMPTS,
          backoff: { type: 'exponential', delay: BACKOFF_MS, jitter: 0.5 },
          removeOnComplete: true,
          removeOnFail: true,
        },
      })),
    );
  };

  return {
    queue,
    /**
     * Adds envelopes in their order, in one round trip. An id that is on the queue stays as it is. `isOrdered`: an envelope with a key is
     * added when those before it of its key have left the queue.
     */
    async add(consumer: string, envelopes: readonly Envelope[], from: string, isOrdered: (envelope: Envelope) => boolean = never) {
      const name = queueOf(consumer);
      const deliveries = envelopes.map((envelope): Delivery => ({ envelope, from, to: consumer }));
      const ordered = deliveries.filter(({ envelope }) => envelope.key !== undefined && isOrdered(envelope));
      const firsts = await lines.join(
        ordered.map((delivery) => {
          const { id, key, sequence } = delivery.envelope;
          const jobKey = `${prefix}:${name}:${jobIdOf(delivery)}`;
          return { consumer, key: key!, id, sequence: sequence ?? 0, jobKey, delivery };
        }),
      );
      const behind = new Set(ordered.filter((_delivery, index) => !firsts[index]));
      await addDeliveries(
        name,
        deliveries.filter((delivery) => !behind.has(delivery)),
      );
    },
    /**
     * Ends the turn of an event: it leaves the line of its key, and is acknowledged to its producer unless it is going to be tried again.
     * Returns the next event of the line, which nobody else handles.
     */
    async endTurn({ envelope: { key, id }, from, to }: Delivery, name: string, { acknowledges }: { acknowledges: boolean }) {
      const consumer = to ?? name;
      const acknowledgement = acknowledgementOf(prefix, { from, consumer, id });
      if (key !== undefined) return lines.leave({ consumer, key, id }, acknowledges ? acknowledgement : undefined);
      if (acknowledges) await connection.sadd(...acknowledgement);
      return undefined;
    },
    /** Adds deliveries that have their turn. */
    addDeliveries,
    async obliterate(): Promise<void> {
      for (const each of open.values()) await each.obliterate({ force: true }).catch(() => undefined);
    },
    async close(): Promise<void> {
      for (const each of open.values()) await each.close();
    },
  };
}

const never = (): boolean => false;

/** An event of a replay is another job than the event itself. */
function jobIdOf({ envelope, to = '' }: Delivery): string {
  const replay = replayOf(to);
  return replay === undefined ? envelope.id : `${envelope.id}#${replay}`;
}

export type Queues = ReturnType<typeof createQueues>;
