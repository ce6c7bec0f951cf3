import type { ClientSession, Connection } from 'mongoose';
import type { Envelope, PublishedMessage } from '../kit/define-event.ts';
import { newId } from '../base/ids.ts';
import { encryptFields } from '../kit/encrypted-fields.ts';
import { createIndexes } from '../store/indexes.ts';

export type OutboxState = 'NEW' | 'SENT' | 'DONE';

/** An event or a job that waits to be sent, and stays for a while after it was sent. */
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
  /** The cursor on each topic, stored so that a wiped Redis can be refilled with the same cursors. */
  cursors: Record<string, string>;
  /** Queues whose consumers have not acknowledged it. */
  waiting: string[];
  state: OutboxState;
  /** When a SENT row without acknowledgement is checked again. */
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

interface Publication {
  session: ClientSession;
  correlationId: string;
  now: Date;
  consumersOf: (type: string) => string[];
}

/** Writes published messages in the transaction that caused them. Payloads are validated here, so that a wrong one aborts its cause. */
export async function writeOutbox(db: Connection, published: readonly PublishedMessage<any>[], publication: Publication): Promise<void> {
  if (published.length === 0) return;
  const rows = published.map(({ definition, data }): OutboxRow => {
    const payload = encryptFields(definition, definition.schema.parse(data));
    const waiting = definition.queue ? [definition.queue] : publication.consumersOf(definition.type);
    const topics = definition.topics(payload);
    const tags = definition.tags(payload);
    const hasConsumers = waiting.length > 0 || topics.length > 0 || tags.length > 0;
    return {
      // Wall-clock ids: rows must leave in the order of their commits even while a test moves the domain's clock.
      _id: newId('evt'),
      type: definition.type,
      version: definition.version,
      occurredAt: publication.now,
      correlationId: publication.correlationId,
      data: payload,
      topics,
      tags,
      cursors: {},
      waiting,
      // An event without consumers is stored for readers of the outbox and is not sent.
      state: hasConsumers ? 'NEW' : 'DONE',
      checkAt: null,
      checks: 0,
      doneAt: hasConsumers ? null : new Date(),
    };
  });
  await outboxOf(db).insertMany(rows, { session: publication.session });
}

export const envelopeOf = (row: OutboxRow): Envelope => ({
  id: row._id,
  type: row.type,
  version: row.version,
  occurredAt: row.occurredAt.toISOString(),
  correlationId: row.correlationId,
  data: row.data,
});
