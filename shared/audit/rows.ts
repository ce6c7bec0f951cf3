import { Schema, type ClientSession, type Connection, type Model } from 'mongoose';
import { hideSecrets } from '../base/log.ts';
import { GATEWAY, type Identity } from '../base/identity.ts';
import { newId } from '../base/ids.ts';
import { appendOnly } from '../store/append-only.ts';
import { createIndexes } from '../store/indexes.ts';

export const AUDIT_PREFIX = 'aud';

/** One record of the audit: who did what, to which entity, and how it ended. */
export interface AuditRow {
  _id: string;
  at: Date;
  /** Id of the viewer, `anonymous`, `guest`, or `system:<name>` for work without a viewer. */
  actor: string;
  roles: string[];
  /** Name of the API key of the client's program. */
  apiKey: string | null;
  ip: string | null;
  userAgent: string | null;
  /** `<subgraph>.<mutation>` */
  action: string;
  target: { type: string | null; id: string } | null;
  changes: Record<string, unknown> | null;
  /** OK, STARTED, REPLAYED or the code of a refusal. */
  outcome: string;
  /** Equal attempts that were counted and not written, since the row before this one. */
  repeated: number;
  correlationId: string;
  /** Number of the block that seals it; 0 until then. The only field that is ever set later, and not part of the hash. */
  block: number;
}

/** A sealed piece of the audit. `root` covers the rows, their order and the root of the block before. */
export interface AuditBlock {
  /** Its number, from 1 without a gap. */
  _id: number;
  subgraph: string;
  /** Root of the block before; '' for block 1. */
  previous: string;
  root: string;
  /** Id and hash of each row, in the order of ids. */
  leaves: { id: string; hash: string }[];
  sealedAt: Date;
  /** Time of the newest row. */
  until: Date;
}

export const UNSEALED = 0;

const COLLECTION = 'audit';
const BLOCKS = 'auditBlocks';

const AUDIT_INDEXES = [
  // The rows that no block seals yet; the rows of a block.
  { key: { block: 1, _id: 1 }, name: 'block' },
  // auditLog(actor, since)
  { key: { actor: 1, _id: -1 }, name: 'actor' },
  // auditLog(target, since)
  { key: { 'target.id': 1, _id: -1 }, name: 'target' },
  // auditLog(action, since)
  { key: { action: 1, _id: -1 }, name: 'action' },
] as const;

export const auditOf = (db: Connection) => db.collection<AuditRow>(COLLECTION);
export const auditBlocksOf = (db: Connection) => db.collection<AuditBlock>(BLOCKS);

export async function createAuditIndexes(db: Connection): Promise<void> {
  await createIndexes(
    db,
    COLLECTION,
    AUDIT_INDEXES.map((index) => ({ ...index })),
  );
  // Otherwise the first seal of a new database creates its collection inside a transaction.
  await db.createCollection(BLOCKS).catch((error: { codeName?: string }) => {
    if (error.codeName !== 'NamespaceExists') throw error;
  });
}

const schema = new Schema<AuditRow>({ _id: String }, { strict: false, strictQuery: false, versionKey: false, collection: COLLECTION });
schema.plugin(appendOnly);

/** The audit as it may be written: rows are added, never changed. Expiry and seals go past it, in this folder only. */
export const auditModel = (db: Connection): Model<AuditRow> => db.models['Audit'] ?? db.model<AuditRow>('Audit', schema);

interface Audited {
  subgraph: string;
  identity: Identity;
  correlationId: string;
  now: Date;
}

interface Entry {
  target?: AuditRow['target'] | string | undefined;
  changes?: Record<string, unknown> | undefined;
  outcome?: string | undefined;
  isGuest?: boolean | undefined;
}

export const OK = 'OK';

export function auditRow({ subgraph, identity, correlationId, now }: Audited, action: string, entry: Entry = {}): AuditRow {
  const { viewer, client } = identity;
  const { target = null, changes, outcome = OK, isGuest = false } = entry;
  return {
    // Wall-clock ids, so that rows are sealed in the order of writing even while a test moves the domain's clock.
    _id: newId(AUDIT_PREFIX),
    at: now,
    actor: viewer?.id ?? actorWithoutViewer(identity.issuer, isGuest),
    roles: viewer?.roles ?? [],
    apiKey: client?.apiKey ?? null,
    ip: client?.ip ?? null,
    userAgent: client?.userAgent ?? null,
    action: `${subgraph}.${action}`,
    target: typeof target === 'string' ? { type: null, id: target } : target,
    changes: changes ? hideSecrets(changes) : null,
    outcome,
    repeated: 0,
    correlationId,
    block: UNSEALED,
  };
}

function actorWithoutViewer(issuer: string, isGuest: boolean): string {
  if (issuer !== GATEWAY) return `system:${issuer}`;
  return isGuest ? 'guest' : 'anonymous';
}

/** Adds rows, in the transaction of the session. Through the driver: the rows are whole, and mongoose would only look at them again. */
export async function writeAudit(db: Connection, rows: AuditRow[], session?: ClientSession): Promise<void> {
  if (rows.length > 0) await auditOf(db).insertMany(rows, session ? { session } : {});
}
