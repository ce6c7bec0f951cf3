import type { Problem } from '../base/errors.ts';
import type { Verdict } from '../base/circuit-breaker.ts';

/* What a failed call says of the process behind it, where its Problem does not show that. */

const verdicts = new WeakMap<Problem, Verdict>();

export function judged(problem: Problem, verdict: Verdict): Problem {
  verdicts.set(problem, verdict);
  return problem;
}

/** A process that responds is alive, whatever the response. */
export const verdictOn = (problem: Problem): Verdict => verdicts.get(problem) ?? 'alive';

const impatientProblems = new WeakSet<Problem>();

/** Of a caller that had too little time: not tried again. */
export function impatient(problem: Problem): Problem {
  judged(problem, 'nothing');
  impatientProblems.add(problem);
  return problem;
}

export const isImpatient = (problem: Problem): boolean => impatientProblems.has(problem);

/** Codes of Node and undici for a connection that failed or broke. */
const LOST = new Set(
  `ECONNREFUSED ECONNRESET ECONNABORTED EPIPE EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ETIMEDOUT ENOTFOUND EAI_AGAIN
  UND_ERR_CONNECT_TIMEOUT UND_ERR_SOCKET`.split(/\s+/),
);

export const isLost = (error: unknown): boolean => LOST.has(String((error as { code?: unknown } | null)?.code));
