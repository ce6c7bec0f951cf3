import type { Connection } from 'mongoose';
import { isDead } from './lease-holder.ts';
import { isDuplicateKey } from './mongo.ts';

export interface Lease {
  /** Fencing token: grows by one with each new holder, so that a write with an older token can be refused. */
  token: number;
}

interface LeaseRow {
  _id: string;
  owner: string;
  token: number;
  until: Date;
}

/** Another process holds the lease now: writes of the former holder are refused. */
export class LostLease extends Error {}

/** Leases for work that only one process may do at a time. In the store, since Redis may be wiped. */
export function createLeases(db: Connection) {
  const rows = db.collection<LeaseRow>('leases');

  return {
    /** Takes or renews the lease for `ttlMs`; undefined when another process holds it. Uses the processes' wall clocks: keep `ttlMs` well above their skew. */
    async acquire(name: string, holder: string, ttlMs: number): Promise<Lease | undefined> {
      const now = Date.now();
      const until = new Date(now + ttlMs);
      const kept = await rows.findOneAndUpdate(
        { _id: name, owner: holder, until: { $gt: new Date(now) } },
        { $set: { until } },
        { returnDocument: 'after' },
      );
      if (kept) return { token: kept.token };
      try {
        const taken = await rows.findOneAndUpdate(
          { _id: name, until: { $lte: new Date(now) } },
          { $set: { owner: holder, until }, $inc: { token: 1 } },
          { upsert: true, returnDocument: 'after' },
        );
        return taken ? { token: taken.token } : undefined;
      } catch (error) {
        if (isDuplicateKey(error)) return undefined;
        throw error;
      }
    },
    /** Frees a lease whose holder died on this machine, before it runs out. */
    async freeDead(name: string): Promise<void> {
      const held = await rows.findOne({ _id: name, until: { $gt: new Date() } });
      if (held && isDead(held.owner)) await rows.updateOne({ _id: name, owner: held.owner }, { $set: { until: new Date(0) } });
    },
    async release(name: string, holder: string): Promise<void> {
      await rows.updateOne({ _id: name, owner: holder }, { $set: { until: new Date(0) } });
    },
  };
}

export type Leases = ReturnType<typeof createLeases>;

interface TermOptions {
  name: string;
  holder: string;
  ttlMs: number;
}

/** One holder's view of a lease that it keeps for as long as it works. */
export function createTerm(leases: Leases, { name, holder, ttlMs }: TermOptions) {
  let until = 0;
  let token = 0;

  /** Renews in the store only when half of the time is over. */
  async function hold(): Promise<boolean> {
    const now = Date.now();
    if (now < until - ttlMs / 2) return true;
    const lease = await leases.acquire(name, holder, ttlMs);
    until = lease ? now + ttlMs : 0;
    token = lease?.token ?? 0;
    return lease !== undefined;
  }

  return {
    isHeld: (): boolean => Date.now() < until,
    /** Runs `work` under the lease; false when another process holds it. `check`, called before each write, throws LostLease. */
    async work(work: (check: () => Promise<void>) => Promise<void>): Promise<boolean> {
      if (!(await hold())) return false;
      const begun = token;
      const heartbeat = setInterval(() => void hold().catch(() => undefined), ttlMs / 4);
      try {
        await work(async () => {
          // Another token: another process held the lease in between and may have done this work.
          if (!(await hold()) || token !== begun) throw new LostLease(`the lease ${name} is held by another process`);
        });
        return true;
      } finally {
        clearInterval(heartbeat);
      }
    },
    async release(): Promise<void> {
      if (Date.now() < until) await leases.release(name, holder);
      until = 0;
    },
  };
}
