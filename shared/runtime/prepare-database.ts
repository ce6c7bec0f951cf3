import type { Connection, Model } from 'mongoose';
import { createAuditIndexes } from '../audit/rows.ts';
import { createFileIndexes } from '../files/files.ts';
import { createJobRuns } from '../jobs/store.ts';
import { createIdempotency } from '../kit/idempotency.ts';
import { createWebhookEvents } from '../kit/webhook.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { createDeadLetters } from '../messaging/consumer.ts';
import { createInbox } from '../messaging/event-effects.ts';
import { createOutbox } from '../messaging/outbox.ts';
import { createReplays } from '../messaging/outbox-replays.ts';
import { createSagaIndexes } from '../sagas/store.ts';
import { createIndexes, declaredIndexes } from '../store/indexes.ts';
import type { Migrations } from './migrations.ts';

interface DatabaseOptions {
  subgraph: Subgraph;
  db: Connection;
  models: Record<string, Model<unknown>>;
  migrations: Migrations;
}

/** Migrates, then creates what indexes are missing: a unique one may need what a migration does. */
export async function prepareDatabase({ subgraph, db, models, migrations }: DatabaseOptions): Promise<void> {
  await migrations.run();
  await Promise.all([
    createOutbox(db),
    createInbox(db),
    createReplays(db),
    createDeadLetters(db),
    createIdempotency(db),
    createSagaIndexes(db),
    createAuditIndexes(db),
    createJobRuns(db),
    ...(subgraph.routes.some(({ kind }) => kind === 'webhook') ? [createWebhookEvents(db)] : []),
    ...(subgraph.files ? [createFileIndexes(db)] : []),
    ...[...declaredIndexes(Object.values(models))].map(([collection, indexes]) => createIndexes(db, collection, indexes)),
  ]);
}
