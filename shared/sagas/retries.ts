import { isProblem, Problem } from '../base/errors.ts';
import type { Attempts, RetryPolicy, Step } from '../kit/define-saga.ts';

const ATTEMPTS = 8;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
/** A compensation is retried until it succeeds. */
export const COMPENSATION_RETRY: RetryPolicy = { maxMs: 30_000 };

/** Another attempt, or why there is none. */
export type Verdict = { again: Attempts & { wakeAt: Date } } | { again?: undefined; problem: Problem; note: string };

/** What follows from a failed attempt at a step. `now` is the domain's clock. */
export function judge(
  { retry, retryable }: Pick<Step<any, any>, 'retry' | 'retryable'>,
  before: Attempts,
  error: unknown,
  now: Date,
): Verdict {
  const problem = isProblem(error) ? error : new Problem('UNAVAILABLE', 'A part of the system did not answer in time.');
  if (!retryable(error)) return { problem, note: isProblem(error) ? error.code : messageOf(error) };
  const again = nextAttempt(before, retry, now);
  if (isOver(again, retry, now)) return { problem, note: `gave up after ${again.attempts} attempts` };
  return { again };
}

function isOver({ attempts, tryingSince }: Attempts, { attempts: most = ATTEMPTS, withinMs }: RetryPolicy, now: Date): boolean {
  return withinMs === undefined ? attempts >= most : now.getTime() - tryingSince!.getTime() >= withinMs;
}

/** Half of the pause is random, so that sagas that failed together do not retry together. */
export function nextAttempt(before: Attempts, { firstMs = MIN_RETRY_MS, maxMs = MAX_RETRY_MS }: RetryPolicy, now: Date) {
  const attempts = before.attempts + 1;
  const full = Math.min(firstMs * 2 ** (attempts - 1), maxMs);
  const wakeAt = new Date(Date.now() + full / 2 + Math.random() * (full / 2));
  return { attempts, tryingSince: before.tryingSince ?? now, wakeAt };
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).slice(0, 300);
