import type { ClientSession, Connection, mongo } from 'mongoose';
import type { AnyContext } from '../kit/context.ts';
import { notFound } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { LostLease } from '../store/leases.ts';
import { isDead } from '../store/lease-holder.ts';
import { ENDED_STATES, HALTED_STATES, type Saga, type SagaEntry, type SagaRow, type SagaStart } from '../kit/define-saga.ts';
import { createIndexes } from '../store/indexes.ts';

/** A silent runner loses its saga after this long; a heartbeat renews the lease while a step runs. */
export const LEASE_MS = 10_000;
const SWEEP_BATCH = 50;
/** Retention of ended sagas. A STUCK or PARKED one stays until it goes on, an open one until it ends. */
const KEPT_SECONDS = 30 * 24 * 3_600;
const NOT_RUN = [...ENDED_STATES, ...HALTED_STATES];
/** State and time leave few rows for the rest of the filter. */
const FEW_OPEN = { comment: 'plan: open sagas are few' };
const UNDER_WAY = ['RUNNING', 'COMPENSATING'] as const;

/** Progress: fields of the row, or of its results and branches by name. */
export type SagaChange = Partial<SagaRow> & Record<`${'results' | 'branches'}.${string}`, unknown>;

/** The versions that a build lists of each saga; null stands for a row without a version. */
export type KnownVersions = ReadonlyMap<string, (number | null)[]>;

export const sagasOf = (db: Connection) => db.collection<SagaRow>('sagas');

export async function createSagaIndexes(db: Connection): Promise<void> {
  await createIndexes(db, 'sagas', [
    { key: { saga: 1, key: 1 }, name: 'key', unique: true },
    { key: { state: 1, wakeAt: 1 }, name: 'wakeAt' },
    { key: { state: 1, waitsUntil: 1 }, name: 'waitsUntil' },
    { key: { startedAt: -1 }, name: 'startedAt' },
    { key: { state: 1, startedAt: -1 }, name: 'stateStartedAt' },
    { key: { saga: 1, startedAt: -1 }, name: 'sagaStartedAt' },
    // Rows of versions that this build does not list.
    { key: { state: 1, saga: 1, version: 1 }, name: 'stateSagaVersion' },
    { key: { finishedAt: 1 }, name: 'finishedAt', expireAfterSeconds: KEPT_SECONDS },
  ]);
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
  const ownOf = (row: SagaRow) => ({ _id: row._id, 'lease.token': row.lease.token });

  /** The row under this runner's lease. Throws LostLease. */
  async function reload(row: SagaRow, options: { session?: ClientSession } = {}): Promise<SagaRow> {
    const found = await rows.findOne(ownOf(row), options);
    if (!found) throw new LostLease();
    return complete(found);
  }

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
        version: saga.version,
        fingerprint: saga.fingerprint,
        key,
        state: 'RUNNING',
        input: saga.input.parse(input),
        results: {},
        signals: {},
        step: saga.steps[0]!.name,
        branches: {},
        attempts: 0,
        tryingSince: null,
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
          { _id: id, state: { $nin: NOT_RUN }, ...condition },
          { $set: { 'lease.owner': holder, 'lease.until': leaseEnd() }, $inc: { 'lease.token': 1 } },
        );
        return matchedCount > 0;
      };
      const isTaken = (await take({ 'lease.until': { $lte: new Date() } })) || (await take({ 'lease.owner': holder }));
      const row = isTaken && (await rows.findOne({ _id: id, 'lease.owner': holder }));
      return row ? complete(row) : null;
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
    async save(row: SagaRow, change: SagaChange, entry?: Omit<SagaEntry, 'at'>, ctx?: AnyContext): Promise<SagaRow> {
      const isRun = change.state === undefined || !NOT_RUN.includes(change.state);
      const options = ctx?.session ? { session: ctx.session } : {};
      const { field, pushed } = historyChange(row, entry && { ...entry, at: now() });
      const { matchedCount } = await rows.updateOne(
        ownOf(row),
        {
          $set: {
            ...change,
            ...field,
            updatedAt: now(),
            'lease.until': isRun ? leaseEnd() : free,
            // Wall clock: the store removes rows by it.
            finishedAt: change.state && ENDED_STATES.includes(change.state) ? new Date() : null,
          },
          ...(pushed && { $push: { history: pushed } }),
        },
        options,
      );
      if (matchedCount === 0) throw new LostLease();
      return reload(row, options);
    },

    reload,

    async load(id: string): Promise<SagaRow> {
      const row = await rows.findOne({ _id: id });
      if (!row) throw notFound('Saga', id, ['input', 'id']);
      return complete(row);
    },

    async byKey<I>(saga: Saga<I, any>, key: string): Promise<SagaRow<I> | null> {
      const row = await rows.findOne({ saga: saga.name, key });
      return row && (complete(row) as SagaRow<I>);
    },

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

    /** Changes a row whatever its lease; attempts begin anew. False when it is in none of the states. */
    async overrule(id: string, states: readonly SagaRow['state'][], change: Partial<SagaRow>): Promise<boolean> {
      const { matchedCount } = await rows.updateOne(
        { _id: id, state: { $in: [...states] } },
        { $set: { ...change, attempts: 0, tryingSince: null, wakeAt: free } },
      );
      return matchedCount > 0;
    },

    /** Due sagas of these versions without a runner, the latest first. One query per state: see `acquire`. */
    async due(known: KnownVersions): Promise<string[]> {
      const wall = new Date();
      const isFree = { 'lease.until': { $lte: wall } };
      const ids = async (filter: Filter<SagaRow>, by: 'wakeAt' | 'waitsUntil'): Promise<string[]> => {
        const sorted = rows.find({ ...filter, ...isFree }, { projection: { _id: 1 }, ...FEW_OPEN }).sort({ [by]: 1 });
        return (await sorted.limit(SWEEP_BATCH).toArray()).map(({ _id }) => _id);
      };
      const found = await Promise.all(
        ofVersions(known).flatMap((version) => [
          ...UNDER_WAY.map((state) => ids({ ...version, state, wakeAt: { $lte: wall } }, 'wakeAt')),
          ids({ ...version, state: 'WAITING', waitsUntil: { $lte: now() } }, 'waitsUntil'),
        ]),
      );
      return found.flat();
    },

    /** Open sagas, due or not, of versions that are none of these. */
    async unknown(known: KnownVersions): Promise<string[]> {
      const others: Filter<SagaRow>[] = [
        { saga: { $nin: [...known.keys()] } },
        ...[...known].map(([saga, versions]) => ({ saga, version: { $nin: versions } }) as Filter<SagaRow>),
      ];
      const ids = async (filter: Filter<SagaRow>): Promise<string[]> =>
        (
          await rows
            .find({ ...filter, 'lease.until': { $lte: new Date() } }, { projection: { _id: 1 }, ...FEW_OPEN })
            .limit(SWEEP_BATCH)
            .toArray()
        ).map(({ _id }) => _id);
      const found = await Promise.all(
        others.flatMap((other) => [...UNDER_WAY, 'WAITING' as const].map((state) => ids({ ...other, state }))),
      );
      return found.flat();
    },

    /** PARKED sagas of these versions. */
    async parked(known: KnownVersions): Promise<SagaRow[]> {
      const found = await Promise.all(ofVersions(known).map((version) => rows.find({ ...version, state: 'PARKED' }, FEW_OPEN).toArray()));
      return found.flat().map(complete);
    },

    open: (): Promise<number> => rows.countDocuments({ state: { $in: [...UNDER_WAY] } }),

    /** How many sagas do not go on by themselves. */
    async halted(): Promise<{ STUCK: number; PARKED: number }> {
      const [STUCK, PARKED] = await Promise.all((['STUCK', 'PARKED'] as const).map((state) => rows.countDocuments({ state })));
      return { STUCK: STUCK!, PARKED: PARKED! };
    },
  };
}

const ofVersions = (known: KnownVersions): Filter<SagaRow>[] =>
  [...known].map(([saga, versions]) => ({ saga, version: { $in: versions } }) as Filter<SagaRow>);

/** A row of a build without versions lacks what came with them. */
const complete = (row: SagaRow): SagaRow => ({
  ...row,
  version: row.version ?? 1,
  step: row.step ?? '',
  branches: row.branches ?? {},
  tryingSince: row.tryingSince ?? null,
});

/** Attempts at one step without end stay one entry: it says the last of them. */
function historyChange({ history }: SagaRow, entry?: SagaEntry): { field?: Record<string, SagaEntry>; pushed?: SagaEntry } {
  if (!entry) return {};
  const last = history.findLastIndex(({ step }) => step === entry.step);
  const isRepeated = REPEATED.includes(entry.outcome) && history[last]?.outcome === entry.outcome;
  return isRepeated ? { field: { [`history.${last}`]: entry } } : { pushed: entry };
}

const REPEATED: SagaEntry['outcome'][] = ['RETRIED', 'PARKED'];

export type SagaStore = ReturnType<typeof createSagaStore>;
