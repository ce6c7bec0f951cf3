import { JobStop, type StopReason } from '../kit/job-stop.ts';
import type { Leases } from '../store/leases.ts';
import type { JobRunRow, JobRuns } from './store.ts';

/** The lease of an exclusive run. */
export interface HeldKey {
  name: string;
  holder: string;
  token: number;
}

export interface Attempt {
  row: JobRunRow;
  held: HeldKey | undefined;
  signal: AbortSignal;
  stop(reason: StopReason): void;
  close(): void;
}

interface AttemptsOptions {
  rows: JobRuns;
  leases: Leases;
  /** Of this process. */
  holder: string;
}

export const LEASE_MS = 10_000;
const CHECK_MS = 2_000;

/** The lease under which a process runs jobs of one subgraph: one for all of its runs. */
export const processLease = (holder: string): string => `job-runner ${holder}`;

/**
 * The attempts that run in this process. While there is one, the process renews its lease and asks the store whether each attempt is still its
 * own. An attempt that is not, or whose lease ran out while the store did not respond, is stopped.
 */
export function createAttempts({ rows, leases, holder }: AttemptsOptions) {
  const active = new Map<string, Attempt>();
  /** Of a clock that only goes on. */
  let validUntil = 0;
  let timer: NodeJS.Timeout | undefined;
  let checking: Promise<void> = Promise.resolve();

  async function renew(): Promise<void> {
    const since = performance.now();
    if (await leases.acquire(processLease(holder), holder, LEASE_MS)) validUntil = since + LEASE_MS;
  }

  async function renewKey({ held, stop }: Attempt): Promise<void> {
    if (!held) return;
    const lease = await leases.acquire(held.name, held.holder, LEASE_MS);
    if (lease?.token !== held.token) stop('LOST');
  }

  async function check(): Promise<void> {
    const asked = [...active.values()];
    await renew();
    const found = await rows
      .find({ _id: { $in: asked.map(({ row }) => row._id) } }, { projection: { token: 1, state: 1, cancelledAt: 1 } })
      .toArray();
    const byId = new Map(found.map((row) => [row._id, row]));
    for (const attempt of asked) {
      const now = byId.get(attempt.row._id);
      // An attempt that ended in the meantime is DONE by its own write.
      if (now?.token !== attempt.row.token || now.state === 'QUEUED') attempt.stop('LOST');
      else if (now.cancelledAt) attempt.stop('CANCELLED');
    }
    await Promise.all(asked.map(renewKey));
  }

  function tick(): void {
    if (performance.now() > validUntil) for (const each of active.values()) each.stop('LOST');
    checking = check().catch(() => undefined); // The lease runs out by itself.
  }

  return {
    isActive: (id: string): boolean => active.has(id),
    /** Makes sure of the lease; call it before a claim. */
    async ready(): Promise<void> {
      if (performance.now() > validUntil - LEASE_MS / 2) await renew();
    },
    open(row: JobRunRow, held: HeldKey | undefined, timeoutMs: number): Attempt {
      const controller = new AbortController();
      const stop = (reason: StopReason): void => controller.abort(new JobStop(reason));
      // A timer takes 24 days at most.
      const limit = setTimeout(stop, Math.min(timeoutMs, 2 ** 31 - 1), 'TIMEOUT');
      const attempt: Attempt = {
        row,
        held,
        signal: controller.signal,
        stop,
        close() {
          clearTimeout(limit);
          active.delete(row._id);
          if (active.size > 0) return;
          clearInterval(timer);
          timer = undefined;
        },
      };
      active.set(row._id, attempt);
      timer ??= setInterval(tick, CHECK_MS);
      return attempt;
    },
    stopAll(reason: StopReason): void {
      for (const each of active.values()) each.stop(reason);
    },
    /** Looks at the attempts now, rather than within 2 s. */
    check,
    async close(): Promise<void> {
      clearInterval(timer);
      await checking;
      if (validUntil > 0) await leases.release(processLease(holder), holder).catch(() => undefined);
    },
  };
}

export type Attempts = ReturnType<typeof createAttempts>;
