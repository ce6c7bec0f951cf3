import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataFolder } from '#shared/base/data-folder.ts';
import { provideSecrets } from '#shared/process/development-secrets.ts';
import { env } from '#shared/base/env.ts';
import { StartError } from '#shared/base/start-error.ts';
import type { Ctx } from '../subgraphs/accounts/loaders.ts';

/**
 * The accounts subgraph for one command: on the stores that the environment names, otherwise on those of the market that `npm start` runs
 * here. Commands act for the operator, so there is no viewer.
 */
export async function withAccounts(work: (ctx: Ctx) => Promise<void>): Promise<void> {
  process.env['LOG_LEVEL'] ||= 'error';
  if (!process.env['MONGODB_URI']) useRunningMarket();
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

function useRunningMarket(): void {
  const folder = dataFolder();
  const file = join(folder, 'demo.json');
  if (!existsSync(file)) throw new StartError('No running market was found. Start one with npm start, or set MONGODB_URI and REDIS_URL.');
  const { services } = JSON.parse(readFileSync(file, 'utf8')) as { services: { mongodb: string; redis: string } };
  process.env['MONGODB_URI'] = services.mongodb;
  process.env['REDIS_URL'] = services.redis;
  provideSecrets(join(folder, 'secrets.json'));
}
