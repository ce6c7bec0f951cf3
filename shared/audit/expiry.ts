import type { Connection } from 'mongoose';
import { inTransaction } from '../store/mongo.ts';
import { auditBlocksOf, auditOf, auditRow, writeAudit } from './rows.ts';

interface ExpiryOptions {
  subgraph: string;
  db: Connection;
  keptYears: number;
  check(): Promise<void>;
}

/** The action of the row that stands for expired blocks; `<subgraph>.` goes before it. */
export const EXPIRED = 'audit.expired';

const YEAR_MS = 365.25 * 24 * 3_600_000;
const WRITE_MS = 30_000;
/** Blocks of one transaction; each holds at most 1,000 rows. */
const BATCH = 10;

/**
 * Removes whole blocks from the beginning of the chain, each when its newest row is older than the retention. In the same transaction a row
 * records the last removed block and its root, so that the chain that is left is still provably the end of the whole: a beginning that
 * was removed in any other way has no such row.
 */
export async function expireAudit({ subgraph, db, keptYears, check }: ExpiryOptions): Promise<void> {
  const before = Date.now() - keptYears * YEAR_MS;
  for (;;) {
    const oldest = await auditBlocksOf(db)
      .find({}, { projection: { root: 1, until: 1 } })
      .sort({ _id: 1 })
      .limit(BATCH)
      .toArray();
    const firstKept = oldest.findIndex(({ until }) => until.getTime() >= before);
    const expired = firstKept === -1 ? oldest : oldest.slice(0, firstKept);
    const last = expired.at(-1);
    if (!last) return;
    await check();
    await inTransaction(
      db,
      async (session) => {
        const { deletedCount } = await auditOf(db).deleteMany({ block: { $gte: expired[0]!._id, $lte: last._id } }, { session });
        await auditBlocksOf(db).deleteMany({ _id: { $lte: last._id } }, { session });
        const writer = { subgraph, identity: { issuer: 'audit', viewer: null }, correlationId: `audit-block-${last._id}`, now: new Date() };
        const changes = { root: last.root, rows: deletedCount };
        await writeAudit(db, [auditRow(writer, EXPIRED, { target: { type: 'AuditBlock', id: String(last._id) }, changes })], session);
      },
      Date.now() + WRITE_MS,
    );
    if (firstKept !== -1) return;
  }
}
