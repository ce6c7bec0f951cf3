import { env } from '#shared/base/env.ts';
import type { Ctx } from '../subgraphs/accounts/loaders.ts';
import { useRunningMarket } from './running-market.ts';

/**
 * The accounts subgraph for one command: on the stores that the environment names, otherwise on those of the market that `npm start` runs
 * here. Commands act for the operator, so there is no viewer.
 */
export async function withAccounts(work: (ctx: Ctx) => Promise<void>): Promise<void> {
  process.env['LOG_LEVEL'] ||= 'error';
  useRunningMarket();
  const { openHost } = await import('#shared/runtime/host.ts');
  const { requireStores } = await import('#shared/process/serve-process.ts');
  const { subgraph } = await import('../subgraphs/accounts/subgraph.ts');
  await requireStores();
  const host = await openHost([subgraph], {
    mongodbUri: env.MONGODB_URI,
    redisUrl: env.REDIS_URL,
    databasePrefix: env.DATABASE_PREFIX,
    redisPrefix: env.REDIS_PREFIX,
    // Events are written for every subgraph; the processes of the market deliver them.
    background: false,
  });
  try {
    await work(host.runtimes.get('accounts')!.context({ issuer: 'command', viewer: null }) as Ctx);
  } finally {
    await host.close();
  }
}
