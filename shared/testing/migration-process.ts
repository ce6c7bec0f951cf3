import { createLog } from '../base/log.ts';
import { createMigrations } from '../runtime/migrations.ts';
import { newHolderId } from '../store/lease-holder.ts';
import { createOrphanedSessions } from '../store/orphaned-sessions.ts';
import { connectMongo } from '../store/mongo.ts';
import { counting, migrated } from './migrated-subgraph.ts';

/* A process that is killed in the middle of a migration. `MIGRATED_DB` is the database; it dies in the batch that begins at `DIES_AT`. */

const { MONGODB_URI, MIGRATED_DB, DIES_AT } = process.env;
const client = await connectMongo(MONGODB_URI!);
const db = client.useDb(MIGRATED_DB!);
const holder = newHolderId();
const dies = (at: number): void => void (at === Number(DIES_AT) && process.kill(process.pid, 'SIGKILL'));
await createMigrations({
  subgraph: migrated(counting({ meet: dies })),
  db,
  models: {},
  providers: {},
  holder,
  orphanedSessions: createOrphanedSessions(db, holder),
  log: createLog('migration'),
  now: () => new Date(),
}).run();
await client.close();
