import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { databaseName } from '#shared/store/database-name.ts';
import { runStart, StartError } from '#shared/base/start-error.ts';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import { loadSubgraph } from './load-subgraph.ts';
import { useRunningMarket } from './running-market.ts';

/*
 * `npm run rotate-keys [-- --dry-run]`: encrypts the encrypted fields of all subgraphs with the key DATA_KEY_ID, beside running processes. Exits
 * with 1 when something cannot be decrypted, or changes faster than it can be encrypted again; running it again goes on with the rest.
 */

const USAGE = 'npm run rotate-keys [-- --dry-run]';
const ROOT = join(import.meta.dirname, '..');

await runStart(async () => {
  const dryRun = readDryRun();
  process.env['LOG_LEVEL'] ||= 'warn';
  useRunningMarket();
  // Read only now: these modules take the environment as they find it.
  const { dataKeys } = await import('#shared/base/data-keys.ts');
  const { env } = await import('#shared/base/env.ts');
  const { requireStores } = await import('#shared/process/serve-process.ts');
  const { connectMongo } = await import('#shared/store/mongo.ts');
  const { ciphertextPlaces, rotatePlace } = await import('#shared/runtime/rotate-keys.ts');
  const { currentId } = dataKeys();
  await requireStores();
  const subgraphs = await Promise.all(readRoverConfig(ROOT).map(({ name }) => loadSubgraph(name)));
  const client = await connectMongo(env.MONGODB_URI);
  let left = 0;
  try {
    for (const subgraph of subgraphs) {
      const db = client.useDb(databaseName(env.DATABASE_PREFIX, subgraph.name), { useCache: false });
      for (const where of ciphertextPlaces(subgraph, subgraphs, db)) {
        const { rotated, current, overtaken, unreadable, fault } = await rotatePlace(db, where, { dryRun });
        left += overtaken + unreadable;
        if (rotated + current + overtaken + unreadable === 0) continue;
        const done = dryRun ? `${rotated} to encrypt again` : `${rotated} encrypted again`;
        console.log(
          `${subgraph.name} ${where.collection} ${where.path}: ${done}, ${current} current, ${overtaken} left, ${unreadable} unreadable`,
        );
        if (fault) console.log(`  ${fault}`);
      }
    }
  } finally {
    await client.close();
  }
  console.log(verdict(left, dryRun, currentId));
  if (left > 0) process.exitCode = 1;
});

function verdict(left: number, dryRun: boolean, currentId: string | undefined): string {
  const key = currentId === undefined ? 'the key without an id' : `the key ${currentId}`;
  if (left > 0)
    return `${left} fields are not encrypted with ${key}. Let every process have DATA_KEY_ID=${currentId ?? ''} and run it again.`;
  return dryRun
    ? 'Nothing was changed.'
    : `Everything is encrypted with ${key}. Older keys can be removed in a day, when what is kept for a day is gone.`;
}

function readDryRun(): boolean {
  try {
    return parseArgs({ options: { 'dry-run': { type: 'boolean', default: false } } }).values['dry-run'];
  } catch (error) {
    throw new StartError(`Usage: ${USAGE}`, { cause: error as Error });
  }
}
