import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { outsideTransactions } from '../store/mongo.ts';
import { createRefusalLimiter } from './refusals.ts';
import { OK, writeAudit, type AuditRow } from './rows.ts';

interface WriterOptions {
  db: Connection;
  log: Logger;
}

/** Rows that are written in full however often they come: they tell of changes. */
const UNBOUNDED = [OK, 'STARTED'];
const DRAIN_MS = 10_000;

/** Writes audit rows that belong to no transaction: refusals, bounded, and work that manages its own transactions. */
export function createAuditWriter({ db, log }: WriterOptions) {
  const refusals = createRefusalLimiter();
  const write = (rows: AuditRow[]): Promise<void> => outsideTransactions(() => writeAudit(db, rows));
  const drain = (all: boolean): Promise<void> =>
    write(refusals.drain(all)).catch((error) => log.error({ err: error }, 'audit: counts of refusals could not be written'));
  const timer = setInterval(() => void drain(false), DRAIN_MS);
  timer.unref();

  return {
    async write(row: AuditRow): Promise<void> {
      const admitted = UNBOUNDED.includes(row.outcome) ? row : refusals.admit(row);
      if (admitted) await write([admitted]);
    },
    /** Writes the counts of refusals that were not written. */
    async close(): Promise<void> {
      clearInterval(timer);
      await drain(true);
    },
  };
}

export type AuditWriter = ReturnType<typeof createAuditWriter>;
