import type { AnyContext } from './context.ts';

export type Schedule = { every: number } | { pattern: string; tz: string };

/** One run of a job, as its lease in the store knows it. */
export interface JobRun {
  /** Aborted when the lease is lost. From then on the context gives out no models and commits nothing. */
  signal: AbortSignal;
  /** Grows with each run: what a run with an older token still writes elsewhere comes too late. */
  token: number;
}

export interface JobHandler<C extends AnyContext = AnyContext> {
  kind: 'job';
  /** The action in kebab-case. */
  name: string;
  schedule: Schedule;
  run(ctx: C, run: JobRun): Promise<unknown>;
}

/**
 * Periodic work on the queue `<subgraph>-jobs`, safe to repeat: one run at a time in the whole system. A turn that finds the last run still
 * going on is skipped. A run that fails is tried again before its next turn, then kept as a dead letter.
 */
export const job = <C extends AnyContext>(
  name: string,
  schedule: Schedule,
  run: (ctx: C, run: JobRun) => Promise<unknown>,
): JobHandler<C> => ({ kind: 'job', name, schedule, run });
