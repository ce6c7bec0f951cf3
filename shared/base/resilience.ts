import { ExponentialBackoff, handleWhen, retry, type RetryPolicy } from 'cockatiel';
import { createBreaker, type Breaker, type BreakerOptions, type Verdict } from './circuit-breaker.ts';

export interface RetryOptions {
  /** Attempts after the first one. Default 3. */
  attempts?: number | undefined;
  /** Waiting time before the second attempt; it doubles from there. Default 100. */
  initialDelayMs?: number;
  /** Default 2,000. */
  maxDelayMs?: number;
}

export interface ResilienceOptions {
  breaker?: BreakerOptions;
  retry?: RetryOptions;
  /** What a failed call, after its last attempt, says of the other side. A refusal is an answer. */
  verdictOf: (error: unknown) => Verdict;
  /** Failures after which the same call may be tried again. */
  isRetryable: (error: unknown) => boolean;
  /** What a caller gets who is not let through. */
  refusal: () => Error;
  /** Whether the process on the other side lives. */
  probe?: (() => Promise<boolean>) | undefined;
}

export interface Resilience {
  readonly state: Breaker['state'];
  /** `repeatable` calls are tried again after a retryable failure, as long as the next attempt can begin before the deadline. */
  run<T>(work: () => Promise<T>, options: { repeatable: boolean; deadline: number }): Promise<T>;
  close(): void;
}

/** A circuit breaker around retries: a call counts once for the breaker, however often it was tried; a breaker that is open ends the attempts. */
export function createResilience(options: ResilienceOptions): Resilience {
  const { attempts = 3, initialDelayMs = 100, maxDelayMs = 2_000 } = options.retry ?? {};
  const breaker = createBreaker(options, options.breaker);
  return {
    get state() {
      return breaker.state;
    },
    close: breaker.close,
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

/** Up to a tenth more than the plain doubling, so that callers who failed together do not come back together. */
const jitter = (
  attempt = 0,
  { initialDelay, maxDelay, exponent }: { initialDelay: number; maxDelay: number; exponent: number },
): [number, number] => [Math.min(initialDelay * exponent ** attempt, maxDelay) * (1 + Math.random() / 10), attempt + 1];
