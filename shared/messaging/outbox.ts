import type { ClientSession, Connection } from 'mongoose';
import type { Envelope, Said } from '../kit/define-event.ts';
import { newId } from '../base/ids.ts';
import { sealed } from '../kit/encrypted-fields.ts';
import { createIndexes } from '../store/mongo.ts';

export type OutboxState = 'NEW' | 'SENT' | 'DONE';

/** An event (or work item) as it waits to leave, and stays for a while after it has left. */
export interface OutboxRow {
  _id: string;
  type: string;
  version: number;
  occurredAt: Date;
  correlationId: string;
  data: unknown;
  topics: string[];
  /** Absent in rows from before there were any. */
  tags?: string[];
  /** Cursor that each topic gave it, kept so that a wiped Redis can be filled again under the same cursors. */
  cursors: Record<string, string>;
  /** Queues that must still have its effect. */
  waiting: string[];
  state: OutboxState;
  /** When a SENT row is looked at again, because no acknowledgement has come. */
  checkAt: Date | null;
  checks: number;
  doneAt: Date | null;
}

const KEPT_SECONDS = 7 * 24 * 3_600;

const OUTBOX_INDEXES = [
  { key: { state: 1, _id: 1 }, name: 'state' },
  { key: { state: 1, checkAt: 1 }, name: 'checkAt' },
  { key: { doneAt: 1 }, name: 'doneAt', expireAfterSeconds: KEPT_SECONDS },
] as const;

export const outboxOf = (db: Connection) => db.collection<OutboxRow>('outbox');

export async function createOutbox(db: Connection): Promise<void> {
  await createIndexes(
    db,
    'outbox',
    OUTBOX_INDEXES.map((index) => ({ ...index })),
  );
}

interface Saying {
  session: ClientSession;
  correlationId: string;
  now: Date;
  consumersOf: (type: string) => string[];
}

/** Writes what was said in the transaction that caused it. Payloads are checked here, so that a wrong one aborts its cause. */
export async function writeOutbox(db: Connection, said: readonly Said<any>[], saying: Saying): Promise<void> {
  if (said.length === 0) return;
  const rows = said.map(({ definition, data }): OutboxRow => {
    const payload = sealed(definition, definition.schema.parse(data));
    const waiting = definition.queue ? [definition.queue] : saying.consumersOf(definition.type);
    const topics = definition.topics(payload);
    const tags = definition.tags(payload);
    const isHeard = waiting.length > 0 || topics.length > 0 || tags.length > 0;
    return {
      // Wall-clock ids: rows must leave in the order of their commits even while a test moves the domain's clock.
      _id: newId('evt'),
      type: definition.type,
      version: definition.version,
      occurredAt: saying.now,
      correlationId: saying.correlationId,
      data: payload,
      topics,
      tags,
      cursors: {},
      waiting,
      // What nobody hears yet is kept for whoever looks, and has nowhere to go.
      state: isHeard ? 'NEW' : 'DONE',
      checkAt: null,
      checks: 0,
      doneAt: isHeard ? null : new Date(),
    };
  });
  await outboxOf(db).insertMany(rows, { session: saying.session });
}

export const envelopeOf = (row: OutboxRow): Envelope => ({
  id: row._id,
  type: row.type,
  version: row.version,
  occurredAt: row.occurredAt.toISOString(),
  correlationId: row.correlationId,
  data: row.data,
});
