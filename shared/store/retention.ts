/** How long the rows of a collection live. Every collection says it once: a test of all subgraphs holds that. */
export type Retention =
  /** It does not grow with use: why. */
  | { few: string }
  /** Rows stay: why. */
  | { forEver: string }
  /** A scheduled job of the subgraph removes them; `rest` says why others stay. */
  | { job: string; rest?: string }
  /** The store removes a row so many seconds after the time in this field; a row without it stays, for the reason in `rest`. */
  | { after: string; seconds: number; rest?: string; only?: Record<string, unknown> };

/** A mongoose schema, of whatever type. */
interface Retained {
  statics: object;
  index(fields: Record<string, 1>, options: object): unknown;
}

/** Declares it, and makes the index that it needs. */
export function retain(schema: Retained, retention: Retention): void {
  Object.assign(schema.statics, { retention });
  if (!('after' in retention)) return;
  const { after, seconds, only } = retention;
  schema.index({ [after]: 1 }, { expireAfterSeconds: seconds, ...(only && { partialFilterExpression: only }) });
}

export const retentionOf = (model: object): Retention | undefined => (model as { retention?: Retention }).retention;

const DAY = 24 * 3_600;

/** The kit's own collections, one of each in every subgraph. Their files make the indexes. */
export const KIT_RETENTION: Readonly<Record<string, Retention>> = {
  outbox: { after: 'doneAt', seconds: 7 * DAY, rest: 'what has not had all its effects is sent again' },
  outboxReplays: { after: 'doneAt', seconds: 30 * DAY, rest: 'one that is open is read to its end' },
  outboxConsumers: { few: 'one row' },
  inbox: { after: 'at', seconds: 30 * DAY },
  newestEvents: { after: 'at', seconds: 30 * DAY },
  idempotency: { after: 'at', seconds: DAY },
  sagas: { after: 'finishedAt', seconds: 30 * DAY, rest: 'open ones end; a STUCK or PARKED one stays until somebody acts' },
  sagaDefinitions: { few: 'one row for each version of a saga' },
  deadLetters: { forEver: 'a lost effect stays until somebody tries it again' },
  audit: {
    job: 'audit sealer',
    rest: 'whole blocks, AUDIT_RETENTION_YEARS after their newest row: a seal of part of them could not be verified',
  },
  auditBlocks: { job: 'audit sealer', rest: 'together with their rows' },
  jobRuns: { after: 'removeAt', seconds: 0, rest: 'an unfinished run ends' },
  schedules: { few: 'one row for each scheduled job' },
  migrations: { few: 'one row for each migration' },
  files: { job: 'remove-old-files', rest: 'files without an end are removed by their subgraph' },
  fileWrites: { job: 'remove-old-files' },
  leases: { few: 'one row for each kind of work' },
  processes: { few: 'one row for each living process' },
};
