import type { Connection } from 'mongoose';
import type { JobHandler } from '../kit/define-job.ts';
import { isDead } from '../store/lease-holder.ts';
import { processLease, type Attempts } from './attempts.ts';
import type { Ending } from './ending.ts';
import { wakeAfter, type JobRunRow, type JobRuns } from './store.ts';

interface SweeperOptions {
  db: Connection;
  rows: JobRuns;
  holder: string;
  attempts: Attempts;
  ending: Ending;
  handlers: ReadonlyMap<string, JobHandler>;
  now(): Date;
  wake(runs: JobRunRow[]): Promise<void>;
}

interface LeaseRow {
  _id: string;
  until: Date;
}

/** Clocks of machines differ by less. */
const SKEW_MS = 5_000;
const BATCH = 500;
const DAY_MS = 24 * 3_600_000;

/** Puts back what a dead process or a wiped Redis has lost. */
export function createSweeper({ db, rows, holder, attempts, ending, handlers, now, wake }: SweeperOptions) {
  const leases = db.collection<LeaseRow>('leases');
  /** Own runs without an attempt when last seen: their claim was written, and its answer was lost. */
  let suspects = new Set<string>();

  const requeue = (row: JobRunRow): Promise<void> => ending.lost(row, handlers.get(row.job));

  /** Runs of this process that nothing here works on. */
  async function recoverOwn(running: readonly JobRunRow[]): Promise<void> {
    const orphans = running.filter((row) => row.holder === holder && !attempts.isActive(row._id));
    const seen = orphans.filter((row) => suspects.has(`${row._id} ${row.token}`));
    suspects = new Set(orphans.map((row) => `${row._id} ${row.token}`));
    for (const row of seen) await requeue(row);
  }

  async function recoverOthers(running: readonly JobRunRow[], check: () => Promise<void>): Promise<void> {
    const byHolder = Map.groupBy(running, (row) => row.holder ?? '');
    byHolder.delete(holder);
    for (const [other, group] of byHolder) {
      if (!(await hasEnded(other))) continue;
      for (const row of group) {
        await check();
        await requeue(row);
      }
    }
  }

  async function hasEnded(other: string): Promise<boolean> {
    if (isDead(other)) return true;
    const lease = await leases.findOne({ _id: processLease(other) });
    return !lease || lease.until.getTime() < Date.now() - SKEW_MS;
  }

  /** Runs that are due, or soon are, and may not be on their queue. */
  async function wakeOverdue(check: () => Promise<void>): Promise<void> {
    for (;;) {
      const overdue = await rows
        .find({ state: 'QUEUED', wakeAt: { $lte: now() } })
        .sort({ wakeAt: 1 })
        .limit(BATCH)
        .toArray();
      if (overdue.length === 0) return;
      await check();
      await wake(overdue);
      await check();
      const at = now();
      const later = [...Map.groupBy(overdue, ({ wakes, runAt }) => wakeAfter(runAt > at ? runAt : at, wakes + 1).getTime())].map(
        ([wakeAt, group]) => ({
          updateMany: {
            filter: { _id: { $in: group.map(({ _id }) => _id) }, state: 'QUEUED' as const },
            update: { $set: { wakeAt: new Date(wakeAt) }, $inc: { wakes: 1 } },
          },
        }),
      );
      await rows.bulkWrite(later);
      if (overdue.length < BATCH) return;
    }
  }

  return {
    running: (): Promise<JobRunRow[]> => rows.find({ state: 'RUNNING' }).toArray(),
    /** In each process. */
    recoverOwn,
    /** In the process that holds the lease. */
    recoverOthers,
    wakeOverdue,
    /** Redis was wiped: every queued run is put on its queue again. */
    wakeAll: () => rows.updateMany({ state: 'QUEUED' }, { $set: { wakeAt: new Date(0) } }),
    /** Leases of processes that are long gone. */
    removeOldLeases: () =>
      leases.deleteMany({ _id: { $gte: processLease(''), $lt: processLease('\uffff') }, until: { $lt: new Date(Date.now() - DAY_MS) } }),
  };
}
