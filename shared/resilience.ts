import { ExponentialBackoff, handleWhen, retry, type RetryPolicy } from 'cockatiel';

export interface BreakerOptions {
  /** Calls that failed in a row and open it. Default 5. */
  failureThreshold?: number;
  /** How long it stays open before it lets probes through. Default 60,000. */
  halfOpenAfterMs?: number;
  /** Calls that may be under way while it is half-open; others are refused. Default 3. */
  probes?: number;
  /** Probes that must succeed before it closes. Default 2. */
  successThreshold?: number;
  now?: () => number;
}

export interface RetryOptions {
  /** Attempts after the first one. Default 3. */
  attempts?: number;
  /** Waiting time before the second attempt; it doubles from there. Default 100. */
  initialDelayMs?: number;
  /** Default 2,000. */
  maxDelayMs?: number;
}

/** Out of order; alive, since it answered; or nothing, because the call ended for a reason of its own. */
export type Verdict = 'outage' | 'alive' | 'nothing';

export interface ResilienceOptions {
  breaker?: BreakerOptions;
  retry?: RetryOptions;
  /** What a failed call, after its last attempt, says of the other side. A refusal is an answer. */
  verdictOf: (error: unknown) => Verdict;
  /** Failures after which the same call may be tried again. */
  isRetryable: (error: unknown) => boolean;
  /** What a caller gets who is not let through. */
  refusal: () => Error;
}

export interface Resilience {
  readonly state: Breaker['state'];
  /** `repeatable` calls are tried again after a retryable failure, as long as the next attempt can begin before the deadline. */
  run<T>(work: () => Promise<T>, options: { repeatable: boolean; deadline: number }): Promise<T>;
}

/** A circuit breaker around retries: a call counts once for the breaker, however often it was tried; a breaker that is open ends the attempts. */
export function createResilience(options: ResilienceOptions): Resilience {
  const { attempts = 3, initialDelayMs = 100, maxDelayMs = 2_000 } = options.retry ?? {};
  const breaker = createBreaker(options, options.breaker);
  return {
    get state() {
      return breaker.state;
    },
    run: (work, { repeatable, deadline }) => {
      if (!repeatable) return breaker.run(work);
      let wait = initialDelayMs;
      const mayRepeat = (error: unknown): boolean => {
        const inTime = Date.now() + wait < deadline;
        wait = Math.min(wait * 2, maxDelayMs);
        return inTime && breaker.state !== 'open' && options.isRetryable(error);
      };
      const retrying = () => {
        const backoff = new ExponentialBackoff({ initialDelay: initialDelayMs, maxDelay: maxDelayMs, exponent: 2, generator: jitter });
        return retry(handleWhen(mayRepeat), { maxAttempts: attempts, backoff });
      };
      return breaker.run(() => mostlyOnce(work, retrying));
    },
  };
}

/** Policies cost more than many a call, and hardly any call needs one: it is made when the first attempt has failed, and given that failure. */
async function mostlyOnce<T>(work: () => Promise<T>, retrying: () => RetryPolicy): Promise<T> {
  let first: Promise<T> | undefined = work();
  try {
    return await first;
  } catch {
    return retrying().execute(() => {
      const attempt = first ?? work();
      first = undefined;
      return attempt;
    });
  }
}

interface Breaker {
  readonly state: 'closed' | 'open' | 'half-open';
  run<T>(work: () => Promise<T>): Promise<T>;
}

type Phase =
  | { state: 'closed'; failures: number }
  | { state: 'open'; until: number }
  | { state: 'half-open'; running: number; successes: number };

/** Own, because cockatiel's lets half-open callers wait for the verdict; here they are refused at once. */
function createBreaker({ verdictOf, refusal }: Pick<ResilienceOptions, 'verdictOf' | 'refusal'>, options: BreakerOptions = {}): Breaker {
  const { failureThreshold = 5, halfOpenAfterMs = 60_000, probes = 3, successThreshold = 2, now = Date.now } = options;
  let phase: Phase = { state: 'closed', failures: 0 };

  const enter = (): Phase => {
    if (phase.state === 'open' && now() >= phase.until) phase = { state: 'half-open', running: 0, successes: 0 };
    if (phase.state === 'open') throw refusal();
    if (phase.state === 'half-open') {
      if (phase.running >= probes) throw refusal();
      phase.running += 1;
    }
    return phase;
  };

  const onAlive = (): void => {
    if (phase.state === 'closed') phase.failures = 0;
    if (phase.state === 'half-open' && (phase.successes += 1) >= successThreshold) phase = { state: 'closed', failures: 0 };
  };

  const onOutage = (): void => {
    if (phase.state === 'closed' && (phase.failures += 1) < failureThreshold) return;
    phase = { state: 'open', until: now() + halfOpenAfterMs };
  };

  const leave = (entered: Phase, verdict: Verdict): void => {
    // A call that began in an earlier phase says nothing about this one.
    if (entered !== phase) return;
    if (phase.state === 'half-open') phase.running -= 1;
    if (verdict === 'alive') onAlive();
    if (verdict === 'outage') onOutage();
  };

  return {
    get state() {
      return phase.state === 'open' && now() >= phase.until ? 'half-open' : phase.state;
    },
    async run(work) {
      const entered = enter();
      try {
        const result = await work();
        leave(entered, 'alive');
        return result;
      } catch (error) {
        leave(entered, verdictOf(error));
        throw error;
      }
    },
  };
}

/** Up to a tenth more than the plain doubling, so that callers who failed together do not come back together. */
const jitter = (
  attempt = 0,
  { initialDelay, maxDelay, exponent }: { initialDelay: number; maxDelay: number; exponent: number },
): [number, number] => [Math.min(initialDelay * exponent ** attempt, maxDelay) * (1 + Math.random() / 10), attempt + 1];
