import type { ClientSession, Connection, mongo } from 'mongoose';
import { newId } from '../base/ids.ts';
import type { JobFacts } from '../kit/define-event.ts';
import { encryptFields } from '../kit/encrypted-fields.ts';
import type { AnyJob, EnqueueOptions, JobMessage, JobPriority, JobProgress, JobState } from '../kit/define-job.ts';
import { createIndexes } from '../store/indexes.ts';
import { isDuplicateKey } from '../store/mongo.ts';

export const JOB_STATES = ['QUEUED', 'RUNNING', 'DONE', 'FAILED', 'CANCELLED'] as const satisfies JobState[];

/** Why a run exists. */
export type JobTrigger = 'ENQUEUED' | 'SCHEDULE' | 'ADMIN';

/** One run of a job. The row is the truth; the queue in Redis only sorts and wakes. Times are those of the domain's clock. */
export interface JobRunRow {
  _id: string;
  job: string;
  queue: string;
  state: JobState;
  trigger: JobTrigger;
  /** With encrypted fields. */
  input: unknown;
  priority: JobPriority;
  correlationId: string;
  createdAt: Date;
  /** Not before. */
  runAt: Date;
  /** When the sweeper puts a QUEUED run on its queue again, in case Redis has lost it. */
  wakeAt: Date;
  wakes: number;
  /** Failed attempts so far. */
  failures: number;
  /** Attempts whose process has ended: they are no fault of the job, up to a limit. */
  lost: number;
  /** Grows with each claim; every write of an attempt names it. */
  token: number;
  /** The process that runs it. */
  holder?: string;
  /** Unique: the key of an unfinished run that has one, otherwise its id. */
  openKey: string;
  /** Runs with an equal one do not overlap. */
  exclusiveKey?: string;
  startedAt?: Date;
  finishedAt?: Date;
  progress?: JobProgress;
  result?: unknown;
  error?: { code: string; message: string };
  /** The dead letter that an admin tries again with this run. */
  letterId?: string;
  /** Set while a cancelled run has not ended yet. */
  cancelledAt?: Date;
  /** When the store removes it, on the wall clock. */
  removeAt?: Date;
}

const INDEXES: mongo.IndexDescription[] = [
  // A run with a key: is there one that has not finished?
  { key: { openKey: 1 }, name: 'openKey', unique: true },
  // Sweeper: RUNNING runs of dead processes, QUEUED runs that are not on their queue.
  { key: { state: 1, wakeAt: 1 }, name: 'wakeAt' },
  // Operations API: depth, oldest run and history of a queue.
  { key: { queue: 1, state: 1, createdAt: -1 }, name: 'queue' },
  // Operations API: history of a job.
  { key: { job: 1, createdAt: -1 }, name: 'job' },
  { key: { removeAt: 1 }, name: 'removeAt', expireAfterSeconds: 0 },
];

export const jobRunsOf = (db: Connection) => db.collection<JobRunRow>('jobRuns');
export type JobRuns = ReturnType<typeof jobRunsOf>;

export const createJobRuns = (db: Connection): Promise<void> => createIndexes(db, 'jobRuns', INDEXES);

/** The facts of a job at the moment of `ctx.enqueue`. */
export function factsOf({ id = newId('job'), runAt, delayMs = 0, priority = 'NORMAL', key }: EnqueueOptions, now: Date): JobFacts {
  const at = runAt ?? new Date(now.getTime() + delayMs);
  return { id, runAt: at.toISOString(), priority, ...(key !== undefined && { key }) };
}

/** Redis is given this long before the sweeper looks at a run that is due. */
const FIRST_WAKE_MS = 5_000;
const MAX_WAKE_MS = 10 * 60_000;

export const wakeAfter = (runAt: Date, wakes: number): Date =>
  new Date(runAt.getTime() + Math.min(FIRST_WAKE_MS * 2 ** Math.min(wakes, 10), MAX_WAKE_MS));

export interface NewRun {
  job: AnyJob;
  queue: string;
  /** As stored, with encrypted fields. */
  input: unknown;
  facts: JobFacts;
  trigger: JobTrigger;
  correlationId: string;
  createdAt: Date;
}

export function newRun({ job, queue, input, facts, trigger, correlationId, createdAt }: NewRun): JobRunRow {
  const { id, runAt, priority, key } = facts;
  const due = new Date(runAt);
  return {
    _id: id,
    job: job.type,
    queue,
    state: 'QUEUED',
    trigger,
    input,
    priority,
    correlationId,
    createdAt,
    runAt: due,
    wakeAt: wakeAfter(due, 0),
    wakes: 0,
    failures: 0,
    lost: 0,
    token: 0,
    openKey: key === undefined ? id : `${job.type} ${key}`,
  };
}

/** The validated input of a job, as it is stored. Throws a ZodError, which aborts the cause. */
export const storedInput = ({ job, input }: JobMessage): unknown => encryptFields(job, job.schema.parse(input));

/** The key of an exclusive job. `input` is not encrypted. */
export const exclusiveKeyOf = (job: AnyJob, input: unknown): { exclusiveKey?: string } =>
  job.exclusive ? { exclusiveKey: `${job.type} ${job.exclusive(input)}` } : {};

/**
 * Writes runs in the running transaction, which is repeated when another one has taken a key at the same time. Returns those that were
 * written: a key that an unfinished run has is skipped.
 */
export async function writeRuns(rows: JobRuns, runs: readonly JobRunRow[], session: ClientSession): Promise<JobRunRow[]> {
  const written: JobRunRow[] = [];
  const taken = new Set<string>();
  for (const run of runs) {
    const { _id, openKey } = run;
    if (openKey !== _id && (taken.has(openKey) || (await rows.findOne({ openKey }, { session })))) continue;
    taken.add(openKey);
    written.push(run);
  }
  if (written.length === 0) return written;
  try {
    await rows.insertMany(written, { session });
  } catch (error) {
    if (isDuplicateKey(error)) (error as mongo.MongoError).addErrorLabel('TransientTransactionError');
    throw error;
  }
  return written;
}

/** Writes one run outside of a transaction; false when it is there already, or an unfinished one has its key. */
export async function writeRun(rows: JobRuns, run: JobRunRow): Promise<boolean> {
  try {
    await rows.insertOne(run);
    return true;
  } catch (error) {
    if (isDuplicateKey(error)) return false;
    throw error;
  }
}
