import type { AnyContext } from './context.ts';

export type Schedule = { every: number } | { pattern: string; tz: string };

export interface JobHandler<C extends AnyContext = AnyContext> {
  kind: 'job';
  /** The action in kebab-case. */
  name: string;
  schedule: Schedule;
  run(ctx: C): Promise<unknown>;
}

/** Periodic work on the queue `<subgraph>-jobs`: one run at a time in the whole system, visible there, safe to repeat. */
export const job = <C extends AnyContext>(name: string, schedule: Schedule, run: (ctx: C) => Promise<unknown>): JobHandler<C> => ({
  kind: 'job',
  name,
  schedule,
  run,
});
