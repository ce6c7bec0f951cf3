import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Connection, Model } from 'mongoose';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import { databaseName } from '#shared/store/database-name.ts';
import { runStart, StartError } from '#shared/base/start-error.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import type { Migrations } from '#shared/runtime/migrations.ts';
import type { OrphanedSessions } from '#shared/store/orphaned-sessions.ts';
import { loadSubgraph } from './load-subgraph.ts';
import { useRunningMarket } from './running-market.ts';

/*
 * `npm run migrate [-- --dry-run] [NAME ...]`: runs what the next start would run first, for all subgraphs or those that are named. With --dry-run
 * it says what would change and changes nothing.
 */

const USAGE = 'npm run migrate [-- --dry-run] [SUBGRAPH ...]';
const ROOT = join(import.meta.dirname, '..');

await runStart(async () => {
  const { dryRun, names } = readOptions();
  process.env['LOG_LEVEL'] ||= 'warn';
  useRunningMarket();
  // Read only now: these modules take the environment as they find it.
  const { requireStores } = await import('#shared/process/serve-process.ts');
  const { connectMongo } = await import('#shared/store/mongo.ts');
  const { env } = await import('#shared/base/env.ts');
  await requireStores();
  const client = await connectMongo(env.MONGODB_URI);
  try {
    for (const name of names)
      await migrate(client.useDb(databaseName(env.DATABASE_PREFIX, name), { useCache: false }), await loadSubgraph(name), dryRun);
  } finally {
    await client.close();
  }
});

async function migrate(db: Connection, subgraph: Subgraph, dryRun: boolean): Promise<void> {
  const { Redis } = await import('ioredis');
  const { createMigrations } = await import('#shared/runtime/migrations.ts');
  const { openProviders } = await import('#shared/providers/define-provider.ts');
  const { createOrphanedSessions } = await import('#shared/store/orphaned-sessions.ts');
  const { newHolderId } = await import('#shared/store/lease-holder.ts');
  const { createLog } = await import('#shared/base/log.ts');
  const { env, parseEnv } = await import('#shared/base/env.ts');
  const { name } = subgraph;
  const holder = newHolderId();
  const orphanedSessions = createOrphanedSessions(db, holder);
  const models = subgraph.models(db) as Record<string, Model<unknown>>;
  const log = createLog(name);
  const now = (): Date => new Date();
  const redis = new Redis(env.REDIS_URL, { lazyConnect: true });
  const tools = { environment: process.env, log, now, redis, redisPrefix: env.REDIS_PREFIX };
  const opened = openProviders(subgraph.providers(subgraph.environment && parseEnv(subgraph.environment, process.env)), tools);
  const { providers } = opened;
  const migrations = createMigrations({ subgraph, db, models, providers, holder, orphanedSessions, log, now });
  try {
    await runMigrations({ subgraph, db, models, migrations, orphanedSessions }, dryRun);
  } finally {
    await opened.close();
    redis.disconnect();
  }
}

interface Prepared {
  subgraph: Subgraph;
  db: Connection;
  models: Record<string, Model<unknown>>;
  migrations: Migrations;
  orphanedSessions: OrphanedSessions;
}

async function runMigrations({ subgraph, db, models, migrations, orphanedSessions }: Prepared, dryRun: boolean): Promise<void> {
  const { prepareDatabase } = await import('#shared/runtime/prepare-database.ts');
  const { name } = subgraph;
  if (dryRun) return sayPlan(db, name, models, await migrations.dryRun());
  await orphanedSessions.killOrphaned();
  const before = new Set((await migrations.rows()).filter(({ finishedAt }) => finishedAt).map(({ _id }) => _id));
  await prepareDatabase({ subgraph, db, models, migrations });
  await orphanedSessions.close();
  const done = (await migrations.rows()).filter(({ _id, finishedAt }) => finishedAt && !before.has(_id));
  for (const { _id, changed } of done) console.log(`${name}: ${_id} changed ${changed}`);
  if (done.length === 0) console.log(`${name}: nothing to migrate`);
}

async function sayPlan(
  db: Connection,
  name: string,
  models: Record<string, Model<unknown>>,
  planned: { name: string; changed?: number }[],
): Promise<void> {
  const { declaredIndexes, plannedIndexes } = await import('#shared/store/indexes.ts');
  const lines = planned.map((each) =>
    each.changed === undefined ? `${each.name} would drop an index` : `${each.name} would change ${each.changed}`,
  );
  for (const [collection, indexes] of declaredIndexes(Object.values(models))) {
    lines.push(...(await plannedIndexes(db, collection, indexes)).map((line) => `the start ${line}`));
  }
  if (lines.length === 0) lines.push('nothing to migrate');
  for (const line of lines) console.log(`${name}: ${line}`);
}

function readOptions(): { dryRun: boolean; names: string[] } {
  const known = readRoverConfig(ROOT).map(({ name }) => name);
  const { values, positionals } = parse();
  const unknown = positionals.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new StartError(`There is no subgraph ${unknown}. Known: ${known.join(', ')}. Usage: ${USAGE}`);
  return { dryRun: values['dry-run'], names: positionals.length > 0 ? positionals : known };
}

function parse() {
  try {
    return parseArgs({ allowPositionals: true, options: { 'dry-run': { type: 'boolean', default: false } } });
  } catch {
    throw new StartError(`Usage: ${USAGE}`);
  }
}
