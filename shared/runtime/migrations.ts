import { setTimeout as delay } from 'node:timers/promises';
import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { StartError } from '../base/start-error.ts';
import type { DataMigration, IndexDrop, Migration } from '../kit/migration.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { sagaMigrations } from '../sagas/migrations.ts';
import { dropIndexIfThere } from '../store/indexes.ts';
import { createLeases, createTerm, LostLease } from '../store/leases.ts';
import type { OrphanedSessions } from '../store/orphaned-sessions.ts';
import { inTransaction, isDuplicateKey } from '../store/mongo.ts';

/** Of one migration in one database. */
export interface MigrationRow {
  _id: string;
  startedAt: Date;
  /** Where the next batch begins; null before the first and after the last. */
  after: unknown;
  batches: number;
  changed: number;
  finishedAt: Date | null;
}

export interface MigrationsOptions {
  subgraph: Subgraph;
  db: Connection;
  models: unknown;
  providers: unknown;
  holder: string;
  orphanedSessions: OrphanedSessions;
  log: Logger;
  now(): Date;
  /** How long a process waits for another one that migrates. */
  patienceMs?: number;
}

export interface Planned {
  name: string;
  /** Rows that it would change; undefined for an index. */
  changed?: number;
}

const LEASE_MS = 10_000;
const POLL_MS = 500;
const PATIENCE_MS = 10 * 60_000;
const BATCH_MS = 60_000;

/** What the collections of the kit went through, in the database of every subgraph. Each part of the kit adds its own, in the order of names. */
const kitMigrations = ({ sagas }: Subgraph): Migration[] => [...sagaMigrations(sagas)];

class DryRun extends Error {}

/** Runs the migrations of one subgraph and of the kit, each once in its database, by one process at a time. */
export function createMigrations(options: MigrationsOptions) {
  const { subgraph, db, models, providers, holder, orphanedSessions, log, now, patienceMs = PATIENCE_MS } = options;
  const rows = db.collection<MigrationRow>('migrations');
  const all = [...kitMigrations(subgraph), ...subgraph.migrations];
  const leases = createLeases(db);
  const term = createTerm(leases, { name: 'migrations', holder, ttlMs: LEASE_MS });

  async function pending(): Promise<Migration[]> {
    const finished = await rows.find({ finishedAt: { $ne: null } }, { projection: { _id: 1 } }).toArray();
    const names = new Set(finished.map(({ _id }) => _id));
    return all.filter(({ name }) => !names.has(name));
  }

  /** A database that holds nothing has nothing to migrate. */
  async function isNew(): Promise<boolean> {
    return (await db.db!.listCollections({}, { nameOnly: true }).toArray()).length === 0;
  }

  async function skipAll(): Promise<void> {
    const at = now();
    const skipped = all.map(({ name }): MigrationRow => ({
      _id: name,
      startedAt: at,
      after: null,
      batches: 0,
      changed: 0,
      finishedAt: at,
    }));
    await rows.insertMany(skipped, { ordered: false }).catch((error: unknown) => {
      if (!isDuplicateKey(error)) throw error; // Another process began with the same database.
    });
  }

  async function begin(name: string): Promise<MigrationRow> {
    const row: MigrationRow = { _id: name, startedAt: now(), after: null, batches: 0, changed: 0, finishedAt: null };
    const { upsertedCount } = await rows.updateOne({ _id: name }, { $setOnInsert: row }, { upsert: true });
    if (upsertedCount > 0) return row;
    return (await rows.findOne({ _id: name }))!;
  }

  /** One batch and its progress, or neither. The number of batches refuses a process that works on after it lost the lease. */
  async function runBatch(each: DataMigration, row: MigrationRow, dryRun = false): Promise<MigrationRow> {
    let reached = row;
    const work = inTransaction(
      db,
      async (session) => {
        await orphanedSessions.record(session);
        const ctx = { subgraph: subgraph.name, db, models, providers, session, log, now };
        const { after, changed } = await each.run(ctx, { after: row.after, batch: each.batch });
        if (after !== null && JSON.stringify(after) === JSON.stringify(row.after))
          throw new Error(`The migration ${each.name} does not move on: a batch ended where it began. It returns where it ended, or null.`);
        reached = { ...row, after, batches: row.batches + 1, changed: row.changed + changed, finishedAt: after === null ? now() : null };
        if (dryRun) throw new DryRun();
        const { _id, batches } = row;
        const { matchedCount } = await rows.updateOne({ _id, batches, finishedAt: null }, { $set: reached }, { session });
        if (matchedCount === 0) throw new LostLease(`the migration ${_id} is run by another process`);
      },
      Date.now() + BATCH_MS,
    );
    await work.catch((error: unknown) => {
      if (!(error instanceof DryRun)) throw error;
    });
    return reached;
  }

  async function runIndexDrop({ name, collection, index }: IndexDrop): Promise<void> {
    await begin(name);
    const isDropped = await dropIndexIfThere(db, collection, index);
    await rows.updateOne({ _id: name }, { $set: { finishedAt: now(), changed: isDropped ? 1 : 0 } });
  }

  async function runAll(check: () => Promise<void>): Promise<void> {
    for (const each of await pending()) {
      await check();
      const since = performance.now();
      if (each.kind === 'dropIndex') await runIndexDrop(each);
      else {
        for (let row = await begin(each.name); row.finishedAt === null; row = await runBatch(each, row)) await check();
      }
      log.info({ migration: each.name, ms: Math.round(performance.now() - since) }, 'a migration is done');
    }
  }

  async function run(): Promise<void> {
    if ((await pending()).length === 0) return;
    if (await isNew()) return skipAll();
    await leases.freeDead('migrations');
    const until = Date.now() + patienceMs;
    for (let isTold = false; ; isTold = true) {
      const isDone = await term.work(runAll).catch((error: unknown) => {
        if (!(error instanceof LostLease)) throw error;
        return false;
      });
      if (isDone) return term.release();
      const left = await pending();
      if (left.length === 0) return;
      if (!isTold) log.info({ migrations: left.map(({ name }) => name) }, 'another process migrates this database; the start waits for it');
      if (Date.now() > until)
        throw new StartError(
          `${subgraph.name}: the migration ${left[0]!.name} runs in another process and has not ended. Start again later.`,
        );
      await delay(POLL_MS);
    }
  }

  return {
    async run(): Promise<void> {
      try {
        await run();
      } catch (error) {
        await term.release().catch(() => undefined); // It runs out by itself.
        throw error;
      }
    },
    /** What a run would do now. Each batch is undone, so a later one does not see what an earlier one changed. */
    async dryRun(): Promise<Planned[]> {
      const planned: Planned[] = [];
      if (await isNew()) return planned;
      for (const each of await pending()) {
        if (each.kind === 'dropIndex') planned.push({ name: each.name });
        else {
          let row = (await rows.findOne({ _id: each.name })) ?? {
            _id: each.name,
            startedAt: now(),
            after: null,
            batches: 0,
            changed: 0,
            finishedAt: null,
          };
          const before = row.changed;
          while (row.finishedAt === null) row = await runBatch(each, row, true);
          planned.push({ name: each.name, changed: row.changed - before });
        }
      }
      return planned;
    },
    rows: (): Promise<MigrationRow[]> => rows.find().sort({ _id: 1 }).toArray(),
  };
}

export type Migrations = ReturnType<typeof createMigrations>;
