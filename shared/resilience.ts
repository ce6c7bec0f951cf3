import { ExponentialBackoff, handleWhen, retry } from 'cockatiel';

export interface BreakerOptions {
  /** Failures in a row that open it. Default 5. */
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

export interface ResilienceOptions {
  breaker?: BreakerOptions;
  retry?: RetryOptions;
  /** Failures that say the other side is out of order. Any other failure is an answer, and counts as a success. */
  isOutage: (error: unknown) => boolean;
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

/** Retry around a circuit breaker: each attempt counts for the breaker, and a breaker that opens ends the attempts. */
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
      const backoff = new ExponentialBackoff({ initialDelay: initialDelayMs, maxDelay: maxDelayMs, exponent: 2, generator: jitter });
      return retry(handleWhen(mayRepeat), { maxAttempts: attempts, backoff }).execute(() => breaker.run(work));
    },
  };
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
function createBreaker({ isOutage, refusal }: Pick<ResilienceOptions, 'isOutage' | 'refusal'>, options: BreakerOptions = {}): Breaker {
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

  // A call that began in an earlier phase says nothing about this one.
  const leave = (entered: Phase, failed: boolean): void => {
    if (entered !== phase) return;
    if (phase.state === 'closed') {
      phase.failures = failed ? phase.failures + 1 : 0;
      if (phase.failures >= failureThreshold) phase = { state: 'open', until: now() + halfOpenAfterMs };
    } else if (phase.state === 'half-open') {
      phase.running -= 1;
      if (failed) phase = { state: 'open', until: now() + halfOpenAfterMs };
      else if ((phase.successes += 1) >= successThreshold) phase = { state: 'closed', failures: 0 };
    }
  };

  return {
    get state() {
      return phase.state === 'open' && now() >= phase.until ? 'half-open' : phase.state;
    },
    async run(work) {
      const entered = enter();
      try {
        const result = await work();
        leave(entered, false);
        return result;
      } catch (error) {
        leave(entered, isOutage(error));
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
