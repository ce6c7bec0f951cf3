import type { Connection } from 'mongoose';
import { isDuplicateKey } from './store.ts';

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
