import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { forbidden, isProblem, Problem } from '../base/errors.ts';
import type { JobOperations, QueueState } from '../jobs/operations.ts';
import { letterIdOf } from '../jobs/ending.ts';
import { nextTurns } from '../jobs/next-turn.ts';
import type { ScheduleRow } from '../jobs/schedules.ts';
import { JOB_STATES, type JobRunRow } from '../jobs/store.ts';
import type { AnyContext } from '../kit/context.ts';
import type { CommandHandler } from '../kit/define-command.ts';
import type { Schedule } from '../kit/define-job.ts';
import { jobTopic, QUEUES_TOPIC } from '../kit/job-events.ts';
import { mutation } from '../kit/mutation.ts';
import { topicStream } from '../kit/topic-stream.ts';
import { forAdmins, isAdmin } from './for-admins.ts';
import { ask, askEach, JobTarget, limited, Listing, newestFirst, of, operation, Row, Target, type Facts } from './operations-ask.ts';

/* Jobs, schedules and queues in the operations API: commands that each subgraph answers about its own, and the fields that show all of them. */

const Nothing = z.object({});
const Job = z.object({ job: z.string().max(100) });
const Id = z.object({ id: z.string().max(200) });
const Runs = z.object({
  job: z.string().max(100).optional(),
  queue: z.string().max(100).optional(),
  state: z.enum(JOB_STATES).optional(),
  before: z.iso.datetime().optional(),
  limit: z.number().int().min(1).max(100),
});
const missed = z.enum(['RUN_ONCE', 'SKIP']);
const WantedSchedule = z.union([z.object({ every: z.number().int() }), z.object({ cron: z.string(), tz: z.string() })]);
const Change = Job.extend({ schedule: WantedSchedule.nullable(), missed: missed.optional() });

const commandsOf = (owner: string) => ({
  listSchedules: operation(owner, 'listSchedules', Nothing, Listing),
  listJobRuns: operation(owner, 'listJobRuns', Runs, Listing),
  findJobRun: operation(owner, 'findJobRun', Id, Row),
  listQueues: operation(owner, 'listQueues', Nothing, Listing),
  runSchedule: operation(owner, 'runSchedule', Job, Row),
  pauseSchedule: operation(owner, 'pauseSchedule', Job.extend({ paused: z.boolean() }), Row),
  changeSchedule: operation(owner, 'changeSchedule', Change, Row),
  retryJobRun: operation(owner, 'retryJobRun', Id, Row),
  cancelJobRun: operation(owner, 'cancelJobRun', Id, Row),
});

/** The commands about its own jobs that each subgraph answers. */
export function jobOperationsHandlers(owner: string, jobs: () => JobOperations): CommandHandler[] {
  const commands = commandsOf(owner);
  const admin = (ctx: AnyContext): string => ctx.viewer!.id;
  return [
    forAdmins(commands.listSchedules, async () => ({ rows: (await jobs().listSchedules()).map(shownSchedule) })),
    forAdmins(commands.listJobRuns, async (_ctx, { before, ...filter }) => ({
      rows: (await jobs().listRuns({ ...filter, before: before === undefined ? undefined : new Date(before) })).map(shownRun),
    })),
    forAdmins(commands.findJobRun, async (_ctx, { id }) => ({ row: await jobs().findRun(id).then(shownRun, nullIfMissing) })),
    forAdmins(commands.listQueues, async () => ({ rows: (await jobs().listQueues()).map(shownQueue) })),
    forAdmins(commands.runSchedule, async (_ctx, { job }) => ({ row: shownRun(await jobs().runSchedule(job)) })),
    forAdmins(commands.pauseSchedule, async (ctx: AnyContext, { job, paused }) => ({
      row: shownSchedule(await jobs().pause(job, paused, admin(ctx))),
    })),
    forAdmins(commands.changeSchedule, async (ctx: AnyContext, { job, ...wanted }) => ({
      row: shownSchedule(
        await jobs().change(job, { schedule: wanted.schedule, ...(wanted.missed && { missed: wanted.missed }) }, admin(ctx)),
      ),
    })),
    forAdmins(commands.retryJobRun, async (_ctx, { id }) => {
      const run = await jobs().findRun(id);
      if (run.state !== 'FAILED' || !(await jobs().retryLetter(letterIdOf(run))))
        throw new Problem('NOT_FOUND', 'No run with this id was given up.', { path: ['input', 'id'] });
      return { row: shownRun(await jobs().findRun(id)) };
    }),
    forAdmins(commands.cancelJobRun, async (_ctx, { id }) => ({ row: shownRun(await jobs().cancel(id)) })),
  ];
}

function nullIfMissing(error: unknown): null {
  if (isProblem(error) && error.code === 'NOT_FOUND') return null;
  throw error;
}

const iso = (date: Date | undefined | null): string | null => date?.toISOString() ?? null;

/** Without input and result: they hold what the domain knows of people. */
const shownRun = ({ _id, job, queue, state, trigger, failures, lost, priority, correlationId, ...row }: JobRunRow): Facts => ({
  id: _id,
  job,
  queue,
  state,
  trigger,
  failures,
  lost,
  priority,
  correlationId,
  createdAt: iso(row.createdAt),
  runAt: iso(row.runAt),
  startedAt: iso(row.startedAt),
  finishedAt: iso(row.finishedAt),
  progress: row.progress ?? null,
  errorCode: row.error?.code ?? null,
  errorMessage: row.error?.message ?? null,
  isCancelling: row.cancelledAt !== undefined,
});

const shownSchedule = ({ _id, queue, schedule, missed: policy, paused, isChanged, missedCount, ...row }: ScheduleRow): Facts => ({
  job: _id,
  queue,
  missed: policy,
  isPaused: paused,
  isChanged,
  missedCount,
  schedule,
  cron: 'cron' in schedule ? schedule.cron : null,
  timeZone: 'cron' in schedule ? schedule.tz : null,
  everyMs: 'every' in schedule ? schedule.every : null,
  changedBy: row.changedBy ?? null,
  changedAt: iso(row.changedAt),
  nextDueAt: iso(row.nextDueAt),
  lastDueAt: iso(row.lastDueAt),
  lastMissedAt: iso(row.lastMissedAt),
});

const shownQueue = ({ concurrency: { perProcess, total }, oldestAt, ...rest }: QueueState): Facts => ({
  ...rest,
  oldestAt: iso(oldestAt),
  concurrencyPerProcess: perProcess,
  concurrencyTotal: total,
});

interface RunsArgs extends Omit<z.input<typeof Runs>, 'limit' | 'before'> {
  subgraph?: string | null;
  first: number;
  before?: Date | null;
}

const byName = (rows: readonly Facts[], field: string): Facts[] =>
  rows.toSorted((a, b) => `${String(a['subgraph'])} ${String(a[field])}`.localeCompare(`${String(b['subgraph'])} ${String(b[field])}`));

const MAX_TURNS = 20;
const MIN_EVERY_MS = 1_000;

const ChangeScheduledJob = JobTarget.extend({
  cron: z.string().max(100).nullish(),
  timeZone: z.string().max(100).nullish(),
  everyMs: z.number().int().min(MIN_EVERY_MS).nullish(),
  missed: missed.nullish(),
}).refine(({ cron, everyMs }) => (typeof cron === 'string') !== (typeof everyMs === 'number'), {
  path: ['cron'],
  error: 'or everyMs must be given, and not both',
});

/** A mutation that asks one subgraph and returns the row that it has answered. */
const changing = <I extends { subgraph: string }>(
  input: z.ZodType<I>,
  field: 'run' | 'scheduledJob',
  work: (ctx: AnyContext, input: I) => Promise<{ row: Facts | null }>,
) =>
  mutation(
    input,
    async (ctx: AnyContext, given: I) => {
      const { row } = await work(ctx, given);
      return { [field]: row && of(given.subgraph)(row) };
    },
    { transaction: false },
  );

const findRun = async (ctx: AnyContext, subgraph: string, id: string): Promise<Facts | null> => {
  const { row } = await ask(ctx, subgraph, (name) => commandsOf(name).findJobRun, { id });
  return row && of(subgraph)(row);
};

/** A stream that asks for the admin's role again at each event. */
const requireAdmin = ({ viewer }: AnyContext): void => {
  if (!viewer?.roles.includes('admin')) throw forbidden();
};

export const jobTypeDefs = readFileSync(join(import.meta.dirname, 'operations-jobs.graphql'), 'utf8');

export const jobResolvers = {
  Query: {
    scheduledJobs: async (_root: unknown, { subgraph }: { subgraph?: string | null }, ctx: AnyContext) =>
      byName(await askEach(ctx, subgraph, (name) => [commandsOf(name).listSchedules, {}]), 'job'),
    jobRuns: async (_root: unknown, { subgraph, first, before, ...filter }: RunsArgs, ctx: AnyContext) => {
      const given = Object.fromEntries(Object.entries(filter).filter(([, value]) => value !== null));
      const rows = await askEach(ctx, subgraph, (name) => [
        commandsOf(name).listJobRuns,
        { ...given, before: before?.toISOString(), limit: limited(first) },
      ]);
      return newestFirst(rows, 'createdAt', first);
    },
    jobRun: (_root: unknown, { subgraph, id }: { subgraph: string; id: string }, ctx: AnyContext) => findRun(ctx, subgraph, id),
    queues: async (_root: unknown, { subgraph }: { subgraph?: string | null }, ctx: AnyContext) =>
      byName(await askEach(ctx, subgraph, (name) => [commandsOf(name).listQueues, {}]), 'name'),
    unreachableSubgraphs: async (_root: unknown, _args: unknown, ctx: AnyContext) => {
      const asked = ctx.subgraphs.map((name) => ask(ctx, name, (each) => commandsOf(each).listSchedules, {}));
      const answers = await Promise.allSettled(asked);
      return ctx.subgraphs.filter((_name, index) => answers[index]!.status === 'rejected');
    },
  },
  ScheduledJob: {
    nextTurns: ({ schedule, isPaused }: { schedule: Schedule; isPaused: boolean }, { first }: { first: number }) =>
      isPaused ? [] : nextTurns(schedule, new Date(), Math.min(Math.max(first, 0), MAX_TURNS)),
  },
  Mutation: {
    runScheduledJob: changing(JobTarget, 'run', (ctx, { subgraph, job }) =>
      ask(ctx, subgraph, (name) => commandsOf(name).runSchedule, { job }),
    ),
    pauseScheduledJob: changing(JobTarget, 'scheduledJob', (ctx, { subgraph, job }) =>
      ask(ctx, subgraph, (name) => commandsOf(name).pauseSchedule, { job, paused: true }),
    ),
    resumeScheduledJob: changing(JobTarget, 'scheduledJob', (ctx, { subgraph, job }) =>
      ask(ctx, subgraph, (name) => commandsOf(name).pauseSchedule, { job, paused: false }),
    ),
    changeScheduledJob: changing(ChangeScheduledJob, 'scheduledJob', (ctx, { subgraph, job, cron, timeZone, everyMs, missed: policy }) => {
      const schedule = typeof cron !== 'string' ? { every: everyMs! } : { cron, tz: timeZone ?? 'UTC' };
      return ask(ctx, subgraph, (name) => commandsOf(name).changeSchedule, { job, schedule, ...(policy && { missed: policy }) });
    }),
    resetScheduledJob: changing(JobTarget, 'scheduledJob', (ctx, { subgraph, job }) =>
      ask(ctx, subgraph, (name) => commandsOf(name).changeSchedule, { job, schedule: null }),
    ),
    retryJobRun: changing(Target, 'run', (ctx, { subgraph, id }) => ask(ctx, subgraph, (name) => commandsOf(name).retryJobRun, { id })),
    cancelJobRun: changing(Target, 'run', (ctx, { subgraph, id }) => ask(ctx, subgraph, (name) => commandsOf(name).cancelJobRun, { id })),
  },
  Subscription: {
    jobProgress: topicStream<AnyContext, { id: string }, { subgraph: string; runId: string }, void>({
      topic: (_ctx, { id }) => jobTopic(id),
      authorize: requireAdmin,
      resolve: ({ data: { subgraph, runId } }, ctx) => ({ run: findRun(ctx, subgraph, runId) }),
    }),
    queueChanged: topicStream<AnyContext, { subgraph?: string | null }, { subgraph: string; queue: string }, string | null>({
      topic: () => QUEUES_TOPIC,
      authorize: (ctx, { subgraph }) => {
        requireAdmin(ctx);
        return subgraph ?? null;
      },
      includes: ({ data }, wanted) => wanted === null || data.subgraph === wanted,
      resolve: ({ data }, ctx) => ({
        queue: askEach(ctx, data.subgraph, (name) => [commandsOf(name).listQueues, {}]).then(
          (rows) => rows.find(({ name }) => name === data.queue) ?? null,
          () => null,
        ),
      }),
    }),
  },
};

export const jobPermissions = {
  Query: { scheduledJobs: isAdmin, jobRuns: isAdmin, jobRun: isAdmin, queues: isAdmin, unreachableSubgraphs: isAdmin },
  Mutation: {
    runScheduledJob: isAdmin,
    pauseScheduledJob: isAdmin,
    resumeScheduledJob: isAdmin,
    changeScheduledJob: isAdmin,
    resetScheduledJob: isAdmin,
    retryJobRun: isAdmin,
    cancelJobRun: isAdmin,
  },
  Subscription: { jobProgress: isAdmin, queueChanged: isAdmin },
};
