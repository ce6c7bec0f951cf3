import type { Connection } from 'mongoose';
import type { AnyContext } from './context.ts';
import { notFound } from './errors.ts';
import { newId } from './ids.ts';
import { hasDied } from './owner.ts';
import { FINAL_STATES, type Saga, type SagaEntry, type SagaRow, type SagaStart } from './sagas.ts';
import { createIndexes } from './store.ts';

/** How long a runner may be silent before another one takes over; a heartbeat prolongs it while a step runs. */
export const LEASE_MS = 10_000;
const SWEEP_BATCH = 50;

export const sagasOf = (db: Connection) => db.collection<SagaRow>('sagas');

export async function createSagaIndexes(db: Connection): Promise<void> {
  await createIndexes(db, 'sagas', [
    { key: { saga: 1, key: 1 }, name: 'key', unique: true },
    { key: { state: 1, wakeAt: 1 }, name: 'wakeAt' },
    { key: { startedAt: -1 }, name: 'startedAt' },
  ]);
}

/** Somebody else runs the saga now: what this runner still wants to write comes too late. */
export class LostLease extends Error {}

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
      };
      await rows.insertOne(row, { session: ctx.session });
      return row;
    },

    /** Takes the lease; null when somebody else holds it or the saga is final. */
    acquire: (id: string): Promise<SagaRow | null> =>
      rows.findOneAndUpdate(
        { _id: id, state: { $nin: [...FINAL_STATES] }, $or: [{ 'lease.until': { $lte: new Date() } }, { 'lease.owner': owner }] },
        { $set: { 'lease.owner': owner, 'lease.until': leaseEnd() }, $inc: { 'lease.token': 1 } },
        { returnDocument: 'after' },
      ),

    prolong: (id: string, token: number): Promise<unknown> =>
      rows.updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': leaseEnd() } }),

    /** Free what was held by processes of this machine that have ended: nobody need wait for their leases to run out. */
    async freeDead(): Promise<void> {
      const open = { state: { $in: ['RUNNING', 'COMPENSATING'] as SagaRow['state'][] }, 'lease.until': { $gt: new Date() } };
      const dead = (await rows.distinct('lease.owner', open)).filter(hasDied);
      if (dead.length > 0) await rows.updateMany({ ...open, 'lease.owner': { $in: dead } }, { $set: { 'lease.until': free } });
    },

    /** Free for the sweeper at once; a runner that lost its lease changes nothing here. */
    release: (id: string, token: number): Promise<unknown> =>
      rows.updateOne({ _id: id, 'lease.token': token }, { $set: { 'lease.until': free } }),

    /** Writes progress, but only while the lease is still this runner's; in the transaction of `ctx` where there is one. */
    async save(row: SagaRow, change: Partial<SagaRow>, entry?: Omit<SagaEntry, 'at'>, ctx?: AnyContext): Promise<SagaRow> {
      const isFinal = change.state !== undefined && FINAL_STATES.includes(change.state);
      const saved = await rows.findOneAndUpdate(
        { _id: row._id, 'lease.token': row.lease.token },
        {
          $set: { ...change, updatedAt: now(), 'lease.until': isFinal ? free : leaseEnd() },
          ...(entry && { $push: { history: { ...entry, at: now() } } }),
        },
        { returnDocument: 'after', ...(ctx?.session && { session: ctx.session }) },
      );
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
      const field = `signals.${name}`;
      await rows.updateOne({ saga: saga.name, key, [field]: { $exists: false } }, { $set: { [field]: data ?? null } }, options);
      await rows.updateOne({ saga: saga.name, key, state: 'WAITING' }, { $set: { state: 'RUNNING', wakeAt: free } }, options);
    },

    /** Changes a row whoever runs it: an admin's word. False when it is in none of the states. */
    async overrule(id: string, states: SagaRow['state'][], change: Partial<SagaRow>): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, state: { $in: states } },
        { $set: { ...change, attempts: 0, wakeAt: free } },
      );
      return matchedCount > 0;
    },

    /** Sagas nobody runs though it is their time. */
    async due(): Promise<string[]> {
      const wall = new Date();
      const theirTime = [
        { state: { $in: ['RUNNING', 'COMPENSATING'] as SagaRow['state'][] }, wakeAt: { $lte: wall } },
        { state: 'WAITING' as const, waitsUntil: { $lte: now() } },
      ];
      const found = await rows
        .find({ 'lease.until': { $lte: wall }, $or: theirTime }, { projection: { _id: 1 } })
        .limit(SWEEP_BATCH)
        .toArray();
      return found.map(({ _id }) => _id);
    },

    open: (): Promise<number> => rows.countDocuments({ state: { $in: ['RUNNING', 'COMPENSATING'] } }),
  };
}

export type SagaStore = ReturnType<typeof createSagaStore>;
