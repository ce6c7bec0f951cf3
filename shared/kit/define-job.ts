import { z } from 'zod';
import type { AnyContext } from './context.ts';
import { decryptFields } from './encrypted-fields.ts';
import { createDefinition, type EventDefinition } from './define-event.ts';

/** How often a failed run is tried again, and after which pauses. */
export interface Backoff {
  /** Pause after the first failed attempt; it doubles. */
  firstMs: number;
  maxMs: number;
}

export interface JobOptions<T, R> {
  /** Default: the name of the job. Jobs of one queue share its concurrency and its rate; a queue belongs to one subgraph. */
  queue?: string;
  payload: z.ZodType<T>;
  result?: z.ZodType<R>;
  /** Default 14, which with the default backoff makes about 50 minutes: enough for a dependency to recover. */
  attempts?: number;
  /** Default: 200 ms, doubling up to 10 minutes. */
  backoff?: Backoff;
  /** Time limit of one attempt, and the deadline of its context; default 15 minutes. */
  timeoutMs?: number;
  /** How long a finished run stays in the history; default 7 days. */
  keepDays?: number;
  /** Runs of the queue at a time; default 8 in each process, without a limit over all processes. */
  concurrency?: { perProcess?: number; total?: number };
  /** Runs of the queue that start within a time, over all processes. */
  rate?: { max: number; perMs: number };
  /** Runs with an equal key never overlap in the whole system; they run one after the other. */
  exclusive?: (input: T) => string;
  /** Top-level text fields that nobody can read in the store, on the queue and in dead letters. */
  encrypted?: readonly (keyof T & string)[];
  /** Cache tags that are invalidated when the job is enqueued and again before it runs. */
  tags?: (input: T) => string[];
}

/** A job that an action enqueues: `ctx.enqueue(sendReport({ reportId }))`. */
export interface JobMessage<T = unknown> {
  job: JobDefinition<T, any>;
  input: T;
}

export interface JobDefinition<T = unknown, R = unknown> extends Omit<EventDefinition<T>, 'queue'> {
  (input: T): JobMessage<T>;
  queue: string;
  result: z.ZodType<R> | undefined;
  attempts: number;
  backoff: Backoff;
  timeoutMs: number;
  keepDays: number;
  concurrency: { perProcess: number; total: number | undefined };
  rate: { max: number; perMs: number } | undefined;
  exclusive: ((input: T) => string) | undefined;
}

export type AnyJob = JobDefinition<any, any>;

/** Which runs of a queue go first; within one priority the older one does. */
export type JobPriority = 'HIGH' | 'NORMAL' | 'LOW';

export interface EnqueueOptions {
  /** Id of the run, such as that of the row that it works on; default a new one that begins with job_. */
  id?: string;
  /** Not before this time of `ctx.now()`. */
  runAt?: Date;
  /** Not before so many milliseconds have passed. */
  delayMs?: number;
  /** Default NORMAL. */
  priority?: JobPriority;
  /** At most one run with this key is queued or running: enqueueing again until then changes nothing. */
  key?: string;
}

const ATTEMPTS = 14;
const BACKOFF = { firstMs: 200, maxMs: 600_000 };
const TIMEOUT_MS = 15 * 60_000;
const KEEP_DAYS = 7;
const PER_PROCESS = 8;

/** Declares a job, in `contract.ts` or beside its action. `name` in kebab-case. */
export function defineJob<T, R = unknown>(name: string, options: JobOptions<T, R>): JobDefinition<T, R> {
  const { payload, queue = name, encrypted = [], tags = () => [], concurrency = {} } = options;
  if (!/^[a-z][a-z0-9-]{0,99}$/.test(name)) throw new Error(`The job ${name}: its name is kebab-case, such as send-report.`);
  const { schema, type, version, topics } = createDefinition(name, payload, {
    version: 1,
    key: undefined,
    topics: () => [],
    tags,
    queue,
    encrypted,
  });
  const create = (input: T): JobMessage<T> => ({ job: made, input });
  const made: JobDefinition<T, R> = Object.assign(create, {
    type,
    schema,
    version,
    key: undefined,
    topics,
    tags,
    encrypted,
    queue,
    result: options.result,
    attempts: options.attempts ?? ATTEMPTS,
    backoff: options.backoff ?? BACKOFF,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    keepDays: options.keepDays ?? KEEP_DAYS,
    concurrency: { perProcess: concurrency.perProcess ?? PER_PROCESS, total: concurrency.total },
    rate: options.rate,
    exclusive: options.exclusive,
  });
  return made;
}

export type JobState = 'QUEUED' | 'RUNNING' | 'DONE' | 'FAILED' | 'CANCELLED';

/** A run as its subgraph reads it. */
export interface FoundRun<T = unknown, R = unknown> {
  id: string;
  state: JobState;
  input: T;
  progress: JobProgress | null;
  /** Null until it is DONE. */
  result: R | null;
  /** Of the last failed attempt. */
  error: { code: string; message: string } | null;
  createdAt: Date;
  finishedAt: Date | null;
  isCancelling: boolean;
}

export interface JobProgress {
  done: number;
  /** Absent while it is not known. */
  total?: number;
  message?: string;
}

/** One attempt of a run, as its action sees it. */
export interface JobRun {
  id: string;
  /** 1 for the first attempt; grows with each failed one. */
  attempt: number;
  /**
   * Fires when the run is cancelled, has passed its time limit, has lost its lease, or when its process stops. From then on the context hands
   * out no models and commits nothing.
   */
  signal: AbortSignal;
  /** Fencing token: grows with each attempt, and for exclusive runs with each holder of the key, so a store elsewhere can refuse older writes. */
  token: number;
  /** Tells followers and the history how far it is; throws once the signal has fired. Call it as often as is convenient. */
  progress(progress: JobProgress): Promise<void>;
}

export interface JobHandler<C extends AnyContext = AnyContext> {
  kind: 'job';
  job: AnyJob;
  /** Set by `scheduledJob`. */
  schedule: ScheduleOptions | undefined;
  idempotent: boolean;
  /** The input as it is stored, with encrypted fields. */
  run(ctx: C, input: unknown, run: JobRun): Promise<unknown>;
  /** Informs those who wait for the effect that it will not come. */
  giveUp: ((ctx: C, input: unknown, error: unknown) => Promise<unknown>) | undefined;
}

export interface JobHandlerOptions<T, C extends AnyContext> {
  /**
   * True for an action that is safe to repeat. It runs without a transaction of the kit's and makes its own, so it may take as long as the
   * job's `timeoutMs`. Default false: the action and the end of the run are one transaction of at most 30 s, so its effect happens once.
   */
  idempotent?: boolean;
  /** Runs in the transaction that ends the run as FAILED or CANCELLED, with the last error. */
  onGivenUp?: (ctx: C, input: T, error: unknown) => Promise<unknown>;
}

/**
 * Runs an action for each run of a job. A `Problem` is final: the run becomes a dead letter. Any other error is retried by the job's
 * `attempts` and `backoff`.
 */
export function handleJob<T, R, C extends AnyContext>(
  job: JobDefinition<T, R>,
  action: (ctx: C, input: T, run: JobRun) => Promise<R>,
  { idempotent = false, onGivenUp }: JobHandlerOptions<T, C> = {},
): JobHandler<C> {
  const read = (input: unknown): T => job.schema.parse(decryptFields(job, input));
  return {
    kind: 'job',
    job,
    schedule: undefined,
    idempotent,
    async run(ctx, input, run) {
      const result = await action(ctx, read(input), run);
      return job.result ? job.result.parse(result) : result;
    },
    giveUp:
      onGivenUp &&
      (async (ctx, input, error) => {
        // An input that does not fit the schema has no reader to inform.
        const parsed = job.schema.safeParse(decryptFields(job, input));
        if (parsed.success) await onGivenUp(ctx, parsed.data, error);
      }),
  };
}

/** When a job is enqueued by itself: each so many milliseconds, or at the times of a cron pattern in a time zone. */
export type Schedule = { every: number } | { cron: string; tz: string };

/** What becomes of turns that passed while no process ran: one run for all of them, or none. */
export type MissedPolicy = 'RUN_ONCE' | 'SKIP';

export type ScheduleOptions = Schedule & { missed?: MissedPolicy };

export interface JobSchedule {
  kind: 'schedule';
  job: JobDefinition<any, any>;
  schedule: ScheduleOptions;
}

/** Puts a job with an empty input on a schedule. Its runs never overlap: a turn is skipped while the last run continues. */
export const schedule = (job: JobDefinition<Record<string, never>, any>, options: ScheduleOptions): JobSchedule => ({
  kind: 'schedule',
  job,
  schedule: options,
});

/** Pause before the second attempt of a scheduled run; it doubles. */
const FIRST_RETRY_MS = 1_000;
const MIN_ATTEMPTS = 2;
const MAX_ATTEMPTS = 8;

/**
 * A job and its schedule in one, on the queue `<subgraph>-jobs`. Its action must be safe to repeat. A failed run is retried before the next
 * turn, then becomes a dead letter. No job of this queue waits for another.
 */
export const scheduledJob = <C extends AnyContext>(
  name: string,
  options: ScheduleOptions,
  run: (ctx: C, run: JobRun) => Promise<unknown>,
): JobHandler<C> => {
  const backoff = { firstMs: FIRST_RETRY_MS, maxMs: 600_000 };
  const job = defineJob(name, { queue: OWN_QUEUE, payload: z.object({}), attempts: attemptsOf(options), backoff });
  return { ...handleJob(job, (ctx: C, _input, each) => run(ctx, each), { idempotent: true }), schedule: options };
};

/** Stands for the queue `<subgraph>-jobs` of the subgraph that handles the job. */
export const OWN_QUEUE = '';

/** The attempts, with their pauses, that fit before the next turn. */
export function attemptsOf(each: Schedule): number {
  if (!('every' in each)) return MAX_ATTEMPTS;
  const fitting = 1 + Math.floor(Math.log2(each.every / FIRST_RETRY_MS + 1));
  return Math.min(Math.max(fitting, MIN_ATTEMPTS), MAX_ATTEMPTS);
}
