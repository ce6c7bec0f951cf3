import { env } from '#shared/base/env.ts';
import { openHost } from '#shared/runtime/host.ts';
import { viewer } from '#shared/testing/open.ts';
import { createDoor, type Wish } from './test-door.ts';
import { loadSubgraphs } from './test-subgraphs.ts';

/*
 * The whole market in a process of its own, to be killed. It loads everything at its start and waits: what it is to do comes over IPC as
 * `{ id, name, args }` and is answered by `{ id, result }` or `{ id, error }`.
 */

interface Opening {
  crashAt?: string;
  /** How far the domain's clock is ahead of the wall's. */
  aheadMs?: number;
}

interface Asked {
  id: number;
  name: keyof Commands;
  args: unknown[];
}

type Commands = Awaited<ReturnType<typeof createCommands>>;

async function createCommands() {
  const subgraphs = await loadSubgraphs();
  let door: ReturnType<typeof createDoor>;
  return {
    async open({ crashAt = '', aheadMs = 0 }: Opening): Promise<void> {
      process.env['CRASH_AT'] = crashAt;
      const host = await openHost(subgraphs, {
        mongodbUri: env.MONGODB_URI,
        redisUrl: env.REDIS_URL,
        databasePrefix: env.DATABASE_PREFIX,
        redisPrefix: env.REDIS_PREFIX,
        now: () => new Date(Date.now() + aheadMs),
      });
      door = createDoor(host);
    },
    async crashAt(place: string): Promise<void> {
      process.env['CRASH_AT'] = place;
    },
    fill: (buyerId: string, wish: Wish) => door.fill(viewer(buyerId), wish),
    order: (buyerId: string, key: string) => door.order(viewer(buyerId), { key }),
    orderUntilAnswered: (buyerId: string, key: string) => door.orderUntilAnswered(viewer(buyerId), key),
    cancel: (buyerId: string, orderId: string) => door.cancel(viewer(buyerId), orderId),
  };
}

const commands = await createCommands();
process.on('message', ({ id, name, args }: Asked) => {
  const command = commands[name] as (...all: unknown[]) => Promise<unknown>;
  command(...args).then(
    (result) => process.send!({ id, result }),
    (error: unknown) => process.send!({ id, error: error instanceof Error ? error.stack : String(error) }),
  );
});
// A market whose test has gone away is of no use to anybody.
process.on('disconnect', () => process.exit());
process.send!({ id: 0 });
