import type { Connection, mongo } from 'mongoose';
import type { AnyContext } from '../kit/context.ts';
import { notFound } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { LostLease } from '../store/leases.ts';
import { hasDied } from '../store/lease-holder.ts';
import { FINAL_STATES, type Saga, type SagaEntry, type SagaRow, type SagaStart } from '../kit/define-saga.ts';
import { createIndexes } from '../store/mongo.ts';

/** How long a runner may be silent before another one takes over; a heartbeat prolongs it while a step runs. */
export const LEASE_MS = 10_000;
const SWEEP_BATCH = 50;
/** Retention: what has ended is shown to admins this long. A STUCK one stays until somebody acts, an open one until it ends. */
const KEPT_SECONDS = 30 * 24 * 3_600;
const ENDED: SagaRow['state'][] = ['DONE', 'COMPENSATED'];
/** Behind their state and time, what else is asked of them is asked of few. */
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
  // Rows from before there was a retention; their time begins now.
  await sagasOf(db).updateMany({ finishedAt: null, state: { $in: ENDED } }, { $set: { finishedAt: new Date() } });
}

export { LostLease };

type Filter<T> = mongo.Filter<T>;

interface StoreOptions {
  db: Connection;
  owner: string;
  now(): Date;
}

/** The rows of sagas. Every change of a running one carries the fencing token of its runner's lease. */
export function createSagaStore({ db, owner, now }: StoreOptions) {
  const rows = sagasOf(db);
  const leaseEnd = (): Date => new Date(Date.now() + LEASE_MS);
  const free = new Date(0);

  return {
    async start<I>(ctx: AnyContext, saga: Saga<I, any>, { key, input, insteadOf }: SagaStart<I>): Promise<SagaRow> {
      if (!ctx.session) throw new Error('A saga starts in the transaction that causes it');
      if (insteadOf) {
        const turnedBack = { _id: insteadOf, saga: saga.name, key, state: 'COMPENSATED' as const };
        await rows.updateOne(turnedBack, { $set: { key: `${key} ${insteadOf}` } }, { session: ctx.session });
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
        // Held from the start by whoever began it, so that the sweeper of another process does not take it at once.
        lease: { owner, token: 1, until: leaseEnd() },
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
     * Takes the lease; null when somebody else holds it or the saga is final. Two updates and a read: one store reads all rows for an `$or`, and
     * for a findAndModify.
     */
    async acquire(id: string): Promise<SagaRow | null> {
      const take = async (holder: Filter<SagaRow>): Promise<boolean> => {
        const { matchedCount } = await rows.updateOne(
          { _id: id, state: { $nin: [...FINAL_STATES] }, ...holder },
          { $set: { 'lease.owner': owner, 'lease.until': leaseEnd() }, $inc: { 'lease.token': 1 } },
        );
        return matchedCount > 0;
      };
      const isTaken = (await take({ 'lease.until': { $lte: new Date() } })) || (await take({ 'lease.owner': owner }));
      return isTaken ? rows.findOne({ _id: id, 'lease.owner': owner }) : null;
    },

    prolong: (id: string, token: number): Promise<unknown> =>
      rows.updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': leaseEnd() } }),

    /** Free what was held by processes of this machine that have ended: nobody need wait for their leases to run out. */
    async freeDead(): Promise<void> {
      const open = { state: { $in: [...UNDER_WAY] }, 'lease.until': { $gt: new Date() } };
      const dead = (await rows.distinct('lease.owner', open, FEW_OPEN)).filter(hasDied);
      if (dead.length > 0) await rows.updateMany({ ...open, 'lease.owner': { $in: dead } }, { $set: { 'lease.until': free } }, FEW_OPEN);
    },

    /** Free for the sweeper at once; a runner that lost its lease changes nothing here. */
    release: (id: string, token: number): Promise<unknown> =>
      rows.updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': free } }),

    /** Writes progress, but only while the lease is still this runner's; in the transaction of `ctx` where there is one. */
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
            // By the wall clock, as the store counts the time of its removal.
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

    /** Notes an event on the row and wakes it. The first one counts: events may come twice. */
    async signal(saga: Saga<any, any>, key: string, name: string, data: unknown, ctx?: AnyContext): Promise<void> {
      const options = ctx?.session ? { session: ctx.session } : {};
      const row = await rows.findOne({ saga: saga.name, key }, { ...options, projection: { _id: 1 } });
      if (!row) return;
      const { _id } = row;
      const field = `signals.${name}`;
      await rows.updateOne({ _id, [field]: { $exists: false } }, { $set: { [field]: data ?? null } }, options);
      await rows.updateOne({ _id, state: 'WAITING' }, { $set: { state: 'RUNNING', wakeAt: free } }, options);
    },

    /** Changes a row whoever runs it: an admin's word. False when it is in none of the states. */
    async overrule(id: string, states: SagaRow['state'][], change: Partial<SagaRow>): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, state: { $in: states } },
        { $set: { ...change, attempts: 0, wakeAt: free } },
      );
      return matchedCount > 0;
    },

    /** Sagas nobody runs though it is their time, those that are late the longest first. A query for each state: see `acquire`. */
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
