import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { createTerm, LostLease, type Leases } from '../store/leases.ts';
import { inTransaction, isDuplicateKey } from '../store/mongo.ts';
import { hashOfRow, rootOfBlock } from './blocks.ts';
import { expireAudit } from './expiry.ts';
import { auditBlocksOf, auditOf, UNSEALED, type AuditBlock, type AuditRow } from './rows.ts';

interface SealerOptions {
  subgraph: string;
  db: Connection;
  leases: Leases;
  holder: string;
  log: Logger;
  /** How long rows live; whole blocks are removed after it. */
  keptYears: number;
}

const SEAL_MS = 1_000;
const EXPIRE_MS = 3_600_000;
const LEASE_MS = 5_000;
const MAX_ROWS = 1_000;
const WRITE_MS = 10_000;

/**
 * Seals the audit of one subgraph: once a second the rows that no block holds become the next block, in the order of their ids. A row that
 * commits late has an older id and is in a later block; membership is the row's own `block`, so no row is skipped. One process at a time, by
 * lease; a second one could not write the same block number.
 */
export function createSealer({ subgraph, db, leases, holder, log, keptYears }: SealerOptions) {
  const term = createTerm(leases, { name: 'audit', holder, ttlMs: LEASE_MS });
  const rows = auditOf(db);
  const blocks = auditBlocksOf(db);
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let expiresAt = 0;
  let stopped = false;

  /** True when there may be more rows. */
  async function sealBlock(): Promise<boolean> {
    const open = await rows.find({ block: UNSEALED }).sort({ _id: 1 }).limit(MAX_ROWS).toArray();
    if (open.length === 0) return false;
    const last = await blocks
      .find({}, { projection: { root: 1 } })
      .sort({ _id: -1 })
      .limit(1)
      .next();
    await writeBlock(blockOf(open, subgraph, last ?? undefined), open);
    return open.length === MAX_ROWS;
  }

  async function writeBlock(block: AuditBlock, members: readonly AuditRow[]): Promise<void> {
    await inTransaction(
      db,
      async (session) => {
        await blocks.insertOne(block, { session });
        const filter = { block: UNSEALED, _id: { $in: members.map(({ _id }) => _id) } };
        const { matchedCount } = await rows.updateMany(filter, { $set: { block: block._id } }, { session });
        if (matchedCount !== members.length) throw new Error('audit: rows changed while they were sealed');
      },
      Date.now() + WRITE_MS,
    );
  }

  async function sealAll(check: () => Promise<void>): Promise<void> {
    do await check();
    while (!stopped && (await sealBlock()));
    if (Date.now() < expiresAt) return;
    expiresAt = Date.now() + EXPIRE_MS;
    await expireAudit({ subgraph, db, keptYears, check });
  }

  function run(): Promise<void> {
    running ??= term
      .work(sealAll)
      .catch((error) => {
        // Another process wrote this block.
        if (error instanceof LostLease || isDuplicateKey(error)) log.info('audit: another process seals now');
        else log.warn({ err: error }, 'audit: rows could not be sealed; it will be tried again');
      })
      .then(() => void (running = undefined));
    return running;
  }

  return {
    start(): void {
      timer = setInterval(() => void run(), SEAL_MS);
    },
    /** Seals what is there now; for tests and for the command. */
    seal: run,
    async stop(): Promise<void> {
      stopped = true;
      clearInterval(timer);
      await running;
      await term.release().catch(() => undefined);
    },
  };
}

export type Sealer = ReturnType<typeof createSealer>;

function blockOf(members: readonly AuditRow[], subgraph: string, last?: Pick<AuditBlock, '_id' | 'root'>): AuditBlock {
  const block = {
    _id: (last?._id ?? 0) + 1,
    subgraph,
    previous: last?.root ?? '',
    leaves: members.map((row) => ({ id: row._id, hash: hashOfRow(row) })),
    sealedAt: new Date(),
    until: new Date(Math.max(...members.map(({ at }) => at.getTime()))),
  };
  return { ...block, root: rootOfBlock(block) };
}
