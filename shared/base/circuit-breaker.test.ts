import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createBreaker, type BreakerOptions } from './circuit-breaker.ts';

class Down extends Error {}
class Busy extends Error {}
class Hurried extends Error {}
class Refused extends Error {}

const fail = (error: Error) => () => Promise.reject(error);
const succeed = () => Promise.resolve('fine');

function breaker(options: BreakerOptions = {}, probe?: () => Promise<boolean>) {
  return createBreaker(
    {
      verdictOf: (error) => (error instanceof Down ? 'outage' : error instanceof Hurried ? 'nothing' : 'alive'),
      refusal: () => new Refused(),
      probe,
    },
    options,
  );
}

type Tested = ReturnType<typeof breaker>;

async function failing(policy: Tested, times = 5): Promise<void> {
  for (let i = 0; i < times; i += 1) await expect(policy.run(fail(new Down()))).rejects.toThrow(Down);
}

/** Work that ends when the test says so. */
function pending() {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  return { work: () => promise, resolve, reject };
}

describe('with a probe', () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  /** A process that lives as long as the test says so. */
  function process(lives: boolean, options: BreakerOptions = {}) {
    const probe = jest.fn(async () => state.lives);
    const state = { lives, probe, policy: breaker(options, probe) };
    return state;
  }
  const passes = (ms: number) => jest.advanceTimersByTimeAsync(ms);

  test('stays closed when the process answers, however many calls fail', async () => {
    const { policy, probe } = process(true);

    await failing(policy, 50);

    expect(policy.state).toBe('closed');
    expect(probe).toHaveBeenCalledTimes(10);
  });

  test('opens when the process does not answer either', async () => {
    const { policy } = process(false);
    await failing(policy);
    const work = jest.fn(succeed);

    await expect(policy.run(work)).rejects.toThrow(Refused);

    expect(policy.state).toBe('open');
    expect(work).not.toHaveBeenCalled();
  });

  test('does not open when a call was answered while the probe was under way', async () => {
    const probe = pending();
    const policy = breaker({}, () => probe.work().then(() => false));
    await failing(policy);
    await policy.run(succeed);

    probe.resolve('dead');
    await passes(0);

    expect(policy.state).toBe('closed');
  });

  test('closes within a second of the return of the process, however long it was away', async () => {
    const dead = process(false);
    await failing(dead.policy);
    await passes(600_000);
    expect(dead.policy.state).toBe('open');

    dead.lives = true;
    await passes(1_000);

    expect(dead.policy.state).toBe('closed');
    await expect(dead.policy.run(succeed)).resolves.toBe('fine');
  });

  test('asks once a second while it is open, and never while it is closed', async () => {
    const dead = process(false);
    await failing(dead.policy);
    await passes(10_000);
    expect(dead.probe).toHaveBeenCalledTimes(11);

    dead.lives = true;
    await passes(60_000);

    expect(dead.probe).toHaveBeenCalledTimes(12);
  });

  test('stays open twice as long each time it opens again before a call was answered, at most fifteen seconds', async () => {
    const dead = process(false);
    const spans: number[] = [];
    for (let time = 0; time < 6; time += 1) {
      dead.lives = false;
      await failing(dead.policy);
      dead.lives = true;
      const since = Date.now();
      while (dead.policy.state !== 'closed') await passes(100);
      spans.push(Math.round((Date.now() - since) / 1_000));
    }
    await dead.policy.run(succeed);
    dead.lives = false;
    await failing(dead.policy);
    dead.lives = true;

    await passes(1_000);

    expect(spans).toEqual([1, 2, 4, 8, 15, 15]);
    expect(dead.policy.state).toBe('closed');
  });

  test('counts the probe as one of several successes: calls that are tried one at a time bring the rest', async () => {
    const policy = breaker({ successThreshold: 2, trials: 1 }, async () => true);
    await failing(policy);
    expect(policy.state).toBe('open');
    await passes(1_000);
    expect(policy.state).toBe('half-open');
    const trial = pending();

    const running = policy.run(trial.work);

    await expect(policy.run(succeed)).rejects.toThrow(Refused);
    trial.resolve('fine');
    await running;
    expect(policy.state).toBe('closed');
  });

  test('asks nothing any more once it is given up', async () => {
    const { policy, probe } = process(false);
    await failing(policy);
    probe.mockClear();

    policy.close();
    await passes(60_000);

    expect(probe).not.toHaveBeenCalled();
  });
});

/** What the requirement asks for, for whoever wants it: 5 failures, 60 s, 3 calls at a time, 2 successes, and no probe. */
const REQUIRED = { failureThreshold: 5, openMs: 60_000, maxOpenMs: 60_000, trials: 3, successThreshold: 2, probeEveryMs: 0 };

describe('with the numbers of the requirement', () => {
  let time = 0;
  const create = () => breaker({ ...REQUIRED, now: () => time }, async () => true);
  const opened = async () => {
    const policy = create();
    await failing(policy);
    return policy;
  };

  test('opens after five failures in a row and lets nothing through', async () => {
    const policy = await opened();
    const work = jest.fn(succeed);

    await expect(policy.run(work)).rejects.toThrow(Refused);

    expect(policy.state).toBe('open');
    expect(work).not.toHaveBeenCalled();
  });

  test('counts only failures in a row', async () => {
    const policy = create();
    await failing(policy, 4);
    await policy.run(succeed);
    await failing(policy, 4);

    expect(policy.state).toBe('closed');
  });

  test('takes a refusal for an answer', async () => {
    const policy = create();
    for (let i = 0; i < 20; i += 1) await expect(policy.run(fail(new Busy()))).rejects.toThrow(Busy);

    expect(policy.state).toBe('closed');
  });

  test('learns nothing from a call that ended for a reason of its own', async () => {
    const policy = create();
    await failing(policy, 4);
    for (let i = 0; i < 20; i += 1) await expect(policy.run(fail(new Hurried()))).rejects.toThrow(Hurried);
    expect(policy.state).toBe('closed');

    await expect(policy.run(fail(new Down()))).rejects.toThrow(Down);

    expect(policy.state).toBe('open');
  });

  test('is not closed by probes that say nothing, and makes room for others', async () => {
    const policy = await opened();
    time += 60_000;

    for (let i = 0; i < 4; i += 1) await expect(policy.run(fail(new Hurried()))).rejects.toThrow(Hurried);

    expect(policy.state).toBe('half-open');
  });

  test('stays open for sixty seconds, then lets three probes through at a time', async () => {
    const policy = await opened();
    time += 59_999;
    await expect(policy.run(succeed)).rejects.toThrow(Refused);
    time += 1;
    const probes = [pending(), pending(), pending()];

    const running = probes.map(({ work }) => policy.run(work));

    await expect(policy.run(succeed)).rejects.toThrow(Refused);
    expect(policy.state).toBe('half-open');
    for (const probe of probes) probe.resolve('fine');
    await expect(Promise.all(running)).resolves.toEqual(['fine', 'fine', 'fine']);
  });

  test('closes after two successes', async () => {
    const policy = await opened();
    time += 60_000;

    await policy.run(succeed);
    expect(policy.state).toBe('half-open');
    await policy.run(succeed);

    expect(policy.state).toBe('closed');
  });

  test('opens again for another sixty seconds when a probe fails', async () => {
    const policy = await opened();
    time += 60_000;
    await policy.run(succeed);

    await expect(policy.run(fail(new Down()))).rejects.toThrow(Down);

    expect(policy.state).toBe('open');
    time += 59_999;
    await expect(policy.run(succeed)).rejects.toThrow(Refused);
    time += 1;
    await expect(policy.run(succeed)).resolves.toBe('fine');
  });

  test('does not let a call from before it opened decide over the probes', async () => {
    const policy = create();
    const late = pending();
    const running = policy.run(late.work);
    await failing(policy);
    time += 60_000;
    await policy.run(succeed);

    late.reject(new Down());

    await expect(running).rejects.toThrow(Down);
    expect(policy.state).toBe('half-open');
  });
});
