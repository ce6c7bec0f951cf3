export interface BreakerOptions {
  /** Failures to connect in a row that open it. Default 5. */
  failureThreshold?: number | undefined;
  /** How long it stays open at least. Default 1,000; twice as long each time it opens again before a call was answered. */
  openMs?: number | undefined;
  /** Default 15,000. */
  maxOpenMs?: number | undefined;
  /** Calls that may be under way while it is half-open; others are refused. Default 3. */
  trials?: number | undefined;
  /** Successes, of the probe or of calls, that close it. Default 1. */
  successThreshold?: number | undefined;
  /** How often the probe is sent while it is open. 0: never, calls are the only trial. Default 1,000. */
  probeEveryMs?: number | undefined;
  now?: (() => number) | undefined;
}

/** Dead; alive, since it answered; or nothing, because the call ended for a reason that says nothing of the process behind it. */
export type Verdict = 'outage' | 'alive' | 'nothing';

interface Surroundings {
  verdictOf: (error: unknown) => Verdict;
  refusal: () => Error;
  /** Whether the process lives. */
  probe?: (() => Promise<boolean>) | undefined;
}

export interface Breaker {
  readonly state: 'closed' | 'open' | 'half-open';
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Ends its probing. */
  close(): void;
}

type Phase =
  | { state: 'closed'; failures: number; isSuspected: boolean }
  | { state: 'open'; until: number; successes: number }
  | { state: 'half-open'; running: number; successes: number };

/**
 * Keeps callers away from a process that is dead, not from one that is slow or fails. Before it opens, and while it is open, it sends a probe
 * of its own. Own, because cockatiel's sends none, and lets half-open callers wait for the verdict; here they are refused at once.
 */
export function createBreaker({ verdictOf, refusal, probe }: Surroundings, options: BreakerOptions = {}): Breaker {
  const { failureThreshold = 5, openMs = 1_000, maxOpenMs = 15_000, trials = 3, successThreshold = 1 } = options;
  const { probeEveryMs = 1_000, now = Date.now } = options;
  const closed = (): Phase => ({ state: 'closed', failures: 0, isSuspected: false });
  const probes = probeEveryMs > 0 ? probe : undefined;
  let phase: Phase = closed();
  let nextOpenMs = openMs;
  let timer: NodeJS.Timeout | undefined;

  const open = (): void => {
    phase = { state: 'open', until: now() + nextOpenMs, successes: 0 };
    nextOpenMs = Math.min(nextOpenMs * 2, maxOpenMs);
    probeLater(phase);
  };

  /** Calls may have failed for what they asked: the probe decides. */
  const suspect = async (suspected: Phase & { state: 'closed' }): Promise<void> => {
    if (!probes || successThreshold > 1) return open();
    suspected.isSuspected = true;
    const lives = await probes();
    // A call was answered meanwhile, or the phase is another one.
    if (phase !== suspected || !suspected.isSuspected) return;
    if (lives) phase = closed();
    else open();
  };

  const probeLater = (opened: Phase): void => {
    clearTimeout(timer);
    if (!probes) return;
    timer = setTimeout(async () => {
      const lives = await probes();
      if (phase !== opened) return;
      if (lives && phase.state === 'open' && now() >= phase.until)
        onSuccess({ state: 'half-open', running: 0, successes: phase.successes });
      else probeLater(opened);
    }, probeEveryMs).unref();
  };

  const onSuccess = (tried: Phase & { state: 'half-open' }): void => {
    tried.successes += 1;
    phase = tried.successes >= successThreshold ? closed() : tried;
  };

  const enter = (): Phase => {
    if (phase.state === 'open' && !probes && now() >= phase.until) phase = { state: 'half-open', running: 0, successes: 0 };
    if (phase.state === 'open') throw refusal();
    if (phase.state === 'half-open') {
      if (phase.running >= trials) throw refusal();
      phase.running += 1;
    }
    return phase;
  };

  const onAlive = (): void => {
    nextOpenMs = openMs;
    if (phase.state === 'closed') Object.assign(phase, closed());
    else if (phase.state === 'half-open') onSuccess(phase);
  };

  const onOutage = (): void => {
    if (phase.state === 'half-open') return open();
    if (phase.state !== 'closed') return;
    phase.failures += 1;
    if (phase.failures >= failureThreshold && !phase.isSuspected) void suspect(phase);
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
      return phase.state === 'open' && !probes && now() >= phase.until ? 'half-open' : phase.state;
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
    close: () => clearTimeout(timer),
  };
}
