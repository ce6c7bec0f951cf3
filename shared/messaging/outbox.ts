import type { ClientSession, Connection } from 'mongoose';
import { z } from 'zod';
import type { Envelope, EventDefinition, JobFacts, PublishedMessage } from '../kit/define-event.ts';
import { nextSequences } from './sequences.ts';
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
  /** Ordering key and position; absent for jobs, for events without a key, and in rows from before there were any. */
  key?: string;
  sequence?: number;
  /** True for jobs, which have one queue. */
  isJob?: boolean;
  data: unknown;
  topics: string[];
  /** Absent in rows from before there were any. */
  tags?: string[];
  /** The cursor on each topic, stored so that a wiped Redis can be refilled with the same cursors. */
  cursors: Record<string, string>;
  /** Consumers that have not acknowledged it, as `consumers.ts` names them. The relay finds the consumers of an event when it sends it. */
  waiting: string[];
  state: OutboxState;
  /** When a SENT row without acknowledgement is checked again. */
  checkAt: Date | null;
  checks: number;
  doneAt: Date | null;
  /** Set for a job. */
  job?: JobFacts;
}

const KEPT_SECONDS = 7 * 24 * 3_600;

const OUTBOX_INDEXES = [
  { key: { state: 1, _id: 1 }, name: 'state' },
  { key: { state: 1, checkAt: 1, _id: 1 }, name: 'overdue' },
  { key: { key: 1, sequence: 1 }, name: 'key' },
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
}

/** Writes published messages in the transaction that caused them. Payloads are validated here, so that a wrong one aborts its cause. */
export async function writeOutbox(db: Connection, published: readonly PublishedMessage<any>[], publication: Publication): Promise<void> {
  if (published.length === 0) return;
  const messages = published.map(({ definition, data, job }) => {
    const payload = encryptFields(definition, definition.schema.parse(withTimestamp(definition, data, publication.now)));
    return { definition, payload, job, key: definition.key?.(payload) };
  });
  const keys = new Set(messages.flatMap(({ key }) => key ?? []));
  const sequenceOf = await nextSequences(outboxOf(db), publication.session, keys);
  const rows = messages.map(({ definition, payload, job, key }): OutboxRow => ({
    // Wall-clock ids: rows must leave in the order of their commits even while a test moves the domain's clock.
    _id: newId('evt'),
    type: definition.type,
    version: definition.version,
    occurredAt: publication.now,
    correlationId: publication.correlationId,
    ...(key !== undefined && { key, sequence: sequenceOf(key) }),
    ...(definition.queue && { isJob: true }),
    data: payload,
    topics: definition.topics(payload),
    tags: definition.tags(payload),
    cursors: {},
    waiting: definition.queue ? [definition.queue] : [],
    state: 'NEW',
    checkAt: null,
    checks: 0,
    doneAt: null,
    ...(job && { job }),
  }));
  await outboxOf(db).insertMany(rows, { session: publication.session });
}

/** An event whose schema has a `timestamp` gets the time at which it occurred. */
const withTimestamp = ({ schema }: EventDefinition, data: object, now: Date): object =>
  schema instanceof z.ZodObject && 'timestamp' in schema.shape ? { timestamp: now.toISOString(), ...data } : data;

export const envelopeOf = (row: OutboxRow): Envelope => ({
  id: row._id,
  type: row.type,
  version: row.version,
  occurredAt: row.occurredAt.toISOString(),
  correlationId: row.correlationId,
  ...(row.key !== undefined && { key: row.key, sequence: row.sequence }),
  data: row.data,
  ...(row.job && { job: row.job }),
});
