import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createResilience, type ResilienceOptions } from './resilience.ts';

class Down extends Error {}
class Busy extends Error {}
class Refused extends Error {}

const NEVER = Number.MAX_SAFE_INTEGER;
const once = { repeatable: false, deadline: NEVER };
const again = { repeatable: true, deadline: NEVER };
const fail = (error: Error) => () => Promise.reject(error);

function resilience(options: Partial<ResilienceOptions> = {}) {
  return createResilience({
    verdictOf: (error) => (error instanceof Down ? 'outage' : 'alive'),
    isRetryable: (error) => error instanceof Down || error instanceof Busy,
    refusal: () => new Refused(),
    ...options,
  });
}

/** Work that ends when the test says so. */
function pending() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { work: () => promise, resolve, reject };
}

describe('retrying', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    jest.spyOn(Math, 'random').mockReturnValue(0);
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  /** The times, from the start, at which the work was tried. */
  async function attemptsOf(options: { deadline?: number; repeatable?: boolean; retry?: ResilienceOptions['retry']; error?: Error } = {}) {
    const policy = resilience({ retry: options.retry ?? {}, breaker: { failureThreshold: 100 } });
    const start = Date.now();
    const times: number[] = [];
    const work = () => {
      times.push(Date.now() - start);
      return Promise.reject(options.error ?? new Down());
    };
    const { deadline = NEVER, repeatable = true } = options;
    const outcome = policy
      .run(work, { repeatable, deadline: deadline === NEVER ? NEVER : start + deadline })
      .catch((error: unknown) => error);
    await jest.advanceTimersByTimeAsync(60_000);
    expect(await outcome).toBeInstanceOf(Error);
    return times;
  }

  test('tries three times more, after 100 ms and twice as long each time', async () => {
    expect(await attemptsOf()).toEqual([0, 100, 300, 700]);
  });

  test('never waits longer than two seconds', async () => {
    const times = await attemptsOf({ retry: { attempts: 7 } });

    expect(times.slice(1).map((time, i) => time - times[i]!)).toEqual([100, 200, 400, 800, 1_600, 2_000, 2_000]);
  });

  test('does not repeat what must not be repeated', async () => {
    expect(await attemptsOf({ repeatable: false })).toEqual([0]);
  });

  test('does not repeat after a failure that would only come again', async () => {
    expect(await attemptsOf({ error: new Error('wrong input') })).toEqual([0]);
  });

  test('begins no attempt after the deadline', async () => {
    expect(await attemptsOf({ deadline: 350 })).toEqual([0, 100, 300]);
  });

  test('counts once for the breaker, however often a call was tried', async () => {
    const policy = resilience({ breaker: { openMs: 60_000 } });
    const work = jest.fn(fail(new Down()));
    const call = async () => {
      const outcome = policy.run(work, again).catch((error: unknown) => error);
      await jest.advanceTimersByTimeAsync(5_000);
      return outcome;
    };

    for (let i = 0; i < 4; i += 1) expect(await call()).toBeInstanceOf(Down);
    expect(policy.state).toBe('closed');
    expect(await call()).toBeInstanceOf(Down);

    expect(policy.state).toBe('open');
    expect(work).toHaveBeenCalledTimes(5 * 4);
  });

  test('counts a call that was answered in the end as answered', async () => {
    const policy = resilience({ breaker: { failureThreshold: 1 } });
    const work = jest.fn<() => Promise<string>>().mockRejectedValueOnce(new Down()).mockResolvedValueOnce('fine');

    const outcome = policy.run(work, again);
    await jest.advanceTimersByTimeAsync(100);

    await expect(outcome).resolves.toBe('fine');
    expect(policy.state).toBe('closed');
  });

  test('stops when others have opened the breaker', async () => {
    const policy = resilience({ breaker: { failureThreshold: 1 } });
    const slow = pending();
    const work = jest.fn(slow.work);

    const outcome = policy.run(work, again).catch((error: unknown) => error);
    await expect(policy.run(fail(new Down()), once)).rejects.toThrow(Down);
    slow.reject(new Down());
    await jest.advanceTimersByTimeAsync(5_000);

    expect(await outcome).toBeInstanceOf(Down);
    expect(work).toHaveBeenCalledTimes(1);
  });

  test('gives the first answer that comes', async () => {
    const policy = resilience();
    const work = jest.fn<() => Promise<string>>().mockRejectedValueOnce(new Busy()).mockResolvedValueOnce('fine');

    const outcome = policy.run(work, again);
    await jest.advanceTimersByTimeAsync(100);

    await expect(outcome).resolves.toBe('fine');
  });
});
