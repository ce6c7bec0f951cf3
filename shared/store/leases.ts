import type { Connection } from 'mongoose';
import { isDuplicateKey } from './mongo.ts';

export interface Lease {
  /** Grows by one with each new owner: a write that carries an older token comes too late. */
  token: number;
}

interface LeaseRow {
  _id: string;
  owner: string;
  token: number;
  until: Date;
}

/** Somebody else holds the lease now: what its former holder still wants to write comes too late. */
export class LostLease extends Error {}

/** Who may do a thing that only one process may do at a time. Kept in the store, since Redis may be wiped. */
export function createLeases(db: Connection) {
  const rows = db.collection<LeaseRow>('leases');

  return {
    /** Takes or prolongs the lease for `ttlMs`; undefined when somebody else holds it. Wall-clock time of the processes, so keep `ttlMs` well above their skew. */
    async acquire(name: string, owner: string, ttlMs: number): Promise<Lease | undefined> {
      const now = Date.now();
      const until = new Date(now + ttlMs);
      const kept = await rows.findOneAndUpdate(
        { _id: name, owner, until: { $gt: new Date(now) } },
        { $set: { until } },
        { returnDocument: 'after' },
      );
      if (kept) return { token: kept.token };
      try {
        const taken = await rows.findOneAndUpdate(
          { _id: name, until: { $lte: new Date(now) } },
          { $set: { owner, until }, $inc: { token: 1 } },
          { upsert: true, returnDocument: 'after' },
        );
        return taken ? { token: taken.token } : undefined;
      } catch (error) {
        if (isDuplicateKey(error)) return undefined;
        throw error;
      }
    },
    async release(name: string, owner: string): Promise<void> {
      await rows.updateOne({ _id: name, owner }, { $set: { until: new Date(0) } });
    },
  };
}

export type Leases = ReturnType<typeof createLeases>;

interface TermOptions {
  name: string;
  owner: string;
  ttlMs: number;
}

/** One holder's view of a lease that it keeps for as long as it works. */
export function createTerm(leases: Leases, { name, owner, ttlMs }: TermOptions) {
  let until = 0;
  let token = 0;

  /** Asks the store only when half of the time is over. */
  async function hold(): Promise<boolean> {
    const now = Date.now();
    if (now < until - ttlMs / 2) return true;
    const lease = await leases.acquire(name, owner, ttlMs);
    until = lease ? now + ttlMs : 0;
    token = lease?.token ?? 0;
    return lease !== undefined;
  }

  return {
    isHeld: (): boolean => Date.now() < until,
    /** Runs `work` while nobody else may; false when somebody else holds the lease. `check`, before each write, throws LostLease. */
    async work(work: (check: () => Promise<void>) => Promise<void>): Promise<boolean> {
      if (!(await hold())) return false;
      const begun = token;
      const heartbeat = setInterval(() => void hold().catch(() => undefined), ttlMs / 4);
      try {
        await work(async () => {
          // Another token: somebody else was there between, and may have done what this one has in hands.
          if (!(await hold()) || token !== begun) throw new LostLease(`the lease ${name} is somebody else's`);
        });
        return true;
      } finally {
        clearInterval(heartbeat);
      }
    },
    async release(): Promise<void> {
      if (Date.now() < until) await leases.release(name, owner);
      until = 0;
    },
  };
}
