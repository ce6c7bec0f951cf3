import type { Connection, mongo } from 'mongoose';
import type { AnyContext } from '../kit/context.ts';
import { notFound } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { LostLease } from '../store/leases.ts';
import { isDead } from '../store/lease-holder.ts';
import { FINAL_STATES, type Saga, type SagaEntry, type SagaRow, type SagaStart } from '../kit/define-saga.ts';
import { createIndexes } from '../store/mongo.ts';

/** A silent runner loses its saga after this long; a heartbeat renews the lease while a step runs. */
export const LEASE_MS = 10_000;
const SWEEP_BATCH = 50;
/** Retention of ended sagas. A STUCK one stays until an operator acts, an open one until it ends. */
const KEPT_SECONDS = 30 * 24 * 3_600;
const ENDED: SagaRow['state'][] = ['DONE', 'COMPENSATED'];
/** State and time leave few rows for the rest of the filter. */
const FEW_OPEN = { comment: 'plan: open sagas are few' };
const UNDER_WAY = ['RUNNING', 'COMPENSATING'] as const;

export const sagasOf = (db: Connection) => db.collection<SagaRow>('sagas');

export async function createSagaIndexes(db: Connection): Promise<void> {
  await createIndexes(db, 'sagas', [
    { key: { saga: 1, key: 1 }, name: 'key', unique: true },
    { key: { state: 1, wakeAt: 1 }, name: 'wakeAt' },
    { key: { state: 1, waitsUntil: 1 }, name: 'waitsUntil' },
    { key: { startedAt: -1 }, name: 'startedAt' },
    { key: { state: 1, startedAt: -1 }, name: 'stateStartedAt' },
    { key: { saga: 1, startedAt: -1 }, name: 'sagaStartedAt' },
    { key: { finishedAt: 1 }, name: 'finishedAt', expireAfterSeconds: KEPT_SECONDS },
  ]);
  // Rows older than the retention; their time begins now.
  await sagasOf(db).updateMany({ finishedAt: null, state: { $in: ENDED } }, { $set: { finishedAt: new Date() } });
}

export { LostLease };

type Filter<T> = mongo.Filter<T>;

interface StoreOptions {
  db: Connection;
  holder: string;
  now(): Date;
}

/** The rows of sagas. Every change of a running one carries the fencing token of its runner's lease. */
export function createSagaStore({ db, holder, now }: StoreOptions) {
  const rows = sagasOf(db);
  const leaseEnd = (): Date => new Date(Date.now() + LEASE_MS);
  const free = new Date(0);

  return {
    async start<I>(ctx: AnyContext, saga: Saga<I, any>, { key, input, insteadOf }: SagaStart<I>): Promise<SagaRow> {
      if (!ctx.session) throw new Error('A saga starts in the transaction that causes it');
      if (insteadOf) {
        const compensated = { _id: insteadOf, saga: saga.name, key, state: 'COMPENSATED' as const };
        await rows.updateOne(compensated, { $set: { key: `${key} ${insteadOf}` } }, { session: ctx.session });
      }
      const at = now();
      const row: SagaRow = {
        _id: newId('saga'),
        saga: saga.name,
        key,
        state: 'RUNNING',
        input: saga.input.parse(input),
        results: {},
        signals: {},
        at: 0,
        step: saga.steps[0]!.name,
        attempts: 0,
        wakeAt: free,
        waitsUntil: null,
        // Held by the starting process, so that the sweeper of another process does not take it at once.
        lease: { owner: holder, token: 1, until: leaseEnd() },
        refusal: null,
        history: [],
        correlationId: ctx.correlationId,
        identity: ctx.identity,
        startedAt: at,
        updatedAt: at,
        finishedAt: null,
      };
      await rows.insertOne(row, { session: ctx.session });
      return row;
    },

    /**
     * Takes the lease; null when another process holds it or the saga is final. Two updates and a read: one of the supported stores scans all
     * rows for an `$or`, and for a findAndModify.
     */
    async acquire(id: string): Promise<SagaRow | null> {
      const take = async (condition: Filter<SagaRow>): Promise<boolean> => {
        const { matchedCount } = await rows.updateOne(
          { _id: id, state: { $nin: [...FINAL_STATES] }, ...condition },
          { $set: { 'lease.owner': holder, 'lease.until': leaseEnd() }, $inc: { 'lease.token': 1 } },
        );
        return matchedCount > 0;
      };
      const isTaken = (await take({ 'lease.until': { $lte: new Date() } })) || (await take({ 'lease.owner': holder }));
      return isTaken ? rows.findOne({ _id: id, 'lease.owner': holder }) : null;
    },

    prolong: (id: string, token: number): Promise<unknown> =>
      rows.updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': leaseEnd() } }),

    /** Frees the leases of dead processes of this machine before they run out. */
    async freeDead(): Promise<void> {
      const open = { state: { $in: [...UNDER_WAY] }, 'lease.until': { $gt: new Date() } };
      const dead = (await rows.distinct('lease.owner', open, FEW_OPEN)).filter(isDead);
      if (dead.length > 0) await rows.updateMany({ ...open, 'lease.owner': { $in: dead } }, { $set: { 'lease.until': free } }, FEW_OPEN);
    },

    /** Frees the lease for the sweeper at once. A runner that lost its lease changes nothing. */
    release: (id: string, token: number): Promise<unknown> =>
      rows.updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': free } }),

    /** Writes progress under this runner's lease, in the transaction of `ctx` where there is one. Throws LostLease. */
    async save(row: SagaRow, change: Partial<SagaRow>, entry?: Omit<SagaEntry, 'at'>, ctx?: AnyContext): Promise<SagaRow> {
      const isFinal = change.state !== undefined && FINAL_STATES.includes(change.state);
      const own = { _id: row._id, 'lease.token': row.lease.token };
      const options = ctx?.session ? { session: ctx.session } : {};
      const { matchedCount } = await rows.updateOne(
        own,
        {
          $set: {
            ...change,
            updatedAt: now(),
            'lease.until': isFinal ? free : leaseEnd(),
            // Wall clock: the store removes rows by it.
            finishedAt: change.state && ENDED.includes(change.state) ? new Date() : null,
          },
          ...(entry && { $push: { history: { ...entry, at: now() } } }),
        },
        options,
      );
      const saved = matchedCount > 0 && (await rows.findOne(own, options));
      if (!saved) throw new LostLease();
      return saved;
    },

    async load(id: string): Promise<SagaRow> {
      const row = await rows.findOne({ _id: id });
      if (!row) throw notFound('Saga', id, ['input', 'id']);
      return row;
    },

    byKey: <I>(saga: Saga<I, any>, key: string): Promise<SagaRow<I> | null> =>
      rows.findOne({ saga: saga.name, key }) as Promise<SagaRow<I> | null>,

    /** Records an event on the row and wakes it. The first delivery counts: events may come twice. */
    async signal(saga: Saga<any, any>, key: string, name: string, data: unknown, ctx?: AnyContext): Promise<void> {
      const options = ctx?.session ? { session: ctx.session } : {};
      const row = await rows.findOne({ saga: saga.name, key }, { ...options, projection: { _id: 1 } });
      if (!row) return;
      const { _id } = row;
      const field = `signals.${name}`;
      await rows.updateOne({ _id, [field]: { $exists: false } }, { $set: { [field]: data ?? null } }, options);
      await rows.updateOne({ _id, state: 'WAITING' }, { $set: { state: 'RUNNING', wakeAt: free } }, options);
    },

    /** For admins: changes a row whatever its lease. False when it is in none of the states. */
    async overrule(id: string, states: SagaRow['state'][], change: Partial<SagaRow>): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, state: { $in: states } },
        { $set: { ...change, attempts: 0, wakeAt: free } },
      );
      return matchedCount > 0;
    },

    /** Due sagas without a runner, the latest first. One query per state: see `acquire`. */
    async due(): Promise<string[]> {
      const wall = new Date();
      const isFree = { 'lease.until': { $lte: wall } };
      const ids = async (filter: Filter<SagaRow>, by: 'wakeAt' | 'waitsUntil'): Promise<string[]> => {
        const sorted = rows.find({ ...filter, ...isFree }, { projection: { _id: 1 }, ...FEW_OPEN }).sort({ [by]: 1 });
        return (await sorted.limit(SWEEP_BATCH).toArray()).map(({ _id }) => _id);
      };
      const found = await Promise.all([
        ...UNDER_WAY.map((state) => ids({ state, wakeAt: { $lte: wall } }, 'wakeAt')),
        ids({ state: 'WAITING', waitsUntil: { $lte: now() } }, 'waitsUntil'),
      ]);
      return found.flat();
    },

    open: (): Promise<number> => rows.countDocuments({ state: { $in: [...UNDER_WAY] } }),
  };
}

export type SagaStore = ReturnType<typeof createSagaStore>;
