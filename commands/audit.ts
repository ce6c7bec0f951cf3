import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Connection } from 'mongoose';
import { z } from 'zod';
import { env } from '#shared/base/env.ts';
import { databaseName } from '#shared/store/database-name.ts';
import { runStart, StartError } from '#shared/base/start-error.ts';
import { useRunningMarket } from './running-market.ts';

/*
 * `npm run audit -- verify [--subgraph NAME] [--kept FILE]`: reads the whole audit and compares it with its seals; exits with 1 when a row or a
 * block is missing, changed or added. FILE holds what `root` printed before.
 * `npm run audit -- root [--subgraph NAME]`: the newest root of each subgraph, one line of JSON each, to be kept elsewhere.
 */

const USAGE = 'Say what to do: npm run audit -- verify [--subgraph NAME] [--kept FILE], or npm run audit -- root [--subgraph NAME]';
const ROOT = join(import.meta.dirname, '..');
const MAX_UNSEALED = 10_000;

const Kept = z.object({ subgraph: z.string(), block: z.number().int(), root: z.string() });

await runStart(async () => {
  const { positionals, values } = readArguments();
  const [action] = positionals;
  if (action !== 'verify' && action !== 'root') throw new StartError(USAGE);
  process.env['LOG_LEVEL'] ||= 'error';
  useRunningMarket();
  const { connectMongo } = await import('#shared/store/mongo.ts');
  const { readRoverConfig } = await import('#shared/process/rover-config.ts');
  const { newestRoot } = await import('#shared/audit/verify.ts');
  const known = readRoverConfig(ROOT, process.env).map(({ name }) => name);
  if (values.subgraph && !known.includes(values.subgraph))
    throw new StartError(`There is no subgraph called ${values.subgraph}. There are: ${known.join(', ')}`);
  const kept = values.kept ? readKept(values.kept) : [];
  const client = await connectMongo(env.MONGODB_URI);
  try {
    for (const name of values.subgraph ? [values.subgraph] : known) {
      const db = client.useDb(databaseName(env.DATABASE_PREFIX, name), { useCache: false });
      if (action === 'verify') await verify(name, db, kept);
      else console.log(JSON.stringify((await newestRoot(db, name)) ?? { subgraph: name, block: 0, root: '' }));
    }
  } finally {
    await client.getClient().close();
  }
});

async function verify(name: string, db: Connection, kept: z.infer<typeof Kept>[]): Promise<void> {
  const { verifyAudit } = await import('#shared/audit/verify.ts');
  const { blocks, rows, unsealed, faults } = await verifyAudit(db, name, kept);
  const verdict = faults.length === 0 ? 'intact' : `${faults.length} faults`;
  const open = unsealed > MAX_UNSEALED ? `; ${unsealed} rows are not sealed: does a process of ${name} run?` : '';
  console.log(`${name}: ${verdict}, ${blocks} blocks with ${rows} rows${open}`);
  for (const fault of faults) console.log(`  ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
}

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { subgraph: { type: 'string' }, kept: { type: 'string' } } });
  } catch (error) {
    throw new StartError(USAGE, { cause: error as Error });
  }
}

function readKept(file: string): z.infer<typeof Kept>[] {
  try {
    const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
    return lines.map((line) => Kept.parse(JSON.parse(line))).filter(({ block }) => block > 0);
  } catch (error) {
    throw new StartError(`${file}: must hold the lines that npm run audit -- root printed.`, { cause: error as Error });
  }
}
