import type { Connection } from 'mongoose';
import { hashOfRow, rootOfBlock } from './blocks.ts';
import { EXPIRED } from './expiry.ts';
import { auditBlocksOf, auditOf, UNSEALED, type AuditBlock, type AuditRow } from './rows.ts';

/** A root that was printed before and is kept outside the store. */
export interface KeptRoot {
  subgraph: string;
  block: number;
  root: string;
}

export interface Verdict {
  subgraph: string;
  blocks: number;
  rows: number;
  /** Rows that no block seals yet: a few when the market is in use, more when no process seals. */
  unsealed: number;
  /** The newest root; null without blocks. */
  root: string | null;
  /** Each fault, with the block and the row; at most 100. */
  faults: string[];
}

const MAX_FAULTS = 100;
/** Blocks read at once; each names at most 1,000 rows. */
const READ_AHEAD = 20;

/**
 * Reads the whole audit of one subgraph, block by block, and compares each row with the hash that was sealed, each block with its root, and
 * each root with the next block. Needs memory for one block. `kept` finds what nothing in the store can show: a removed end of the chain.
 */
export async function verifyAudit(db: Connection, subgraph: string, kept: readonly KeptRoot[] = []): Promise<Verdict> {
  const verdict: Verdict = { subgraph, blocks: 0, rows: 0, unsealed: 0, root: null, faults: [] };
  const fault = (text: string): void => void (verdict.faults.length < MAX_FAULTS && verdict.faults.push(text));
  const wanted = new Map(kept.filter((each) => each.subgraph === subgraph).map((each) => [each.block, each.root]));
  let last: AuditBlock | undefined;

  for await (const block of auditBlocksOf(db).find({}).sort({ _id: 1 }).batchSize(READ_AHEAD)) {
    for (const text of last ? faultsBetween(last, block) : await faultsOfBeginning(db, subgraph, block)) fault(text);
    for (const text of faultsOfBlock(block, subgraph)) fault(text);
    const rows = await auditOf(db).find({ block: block._id }).sort({ _id: 1 }).toArray();
    for (const text of faultsOfRows(block, rows)) fault(text);
    const known = wanted.get(block._id);
    if (known !== undefined && known !== block.root) fault(`block ${block._id}: its root is not the one that was kept`);
    verdict.blocks += 1;
    verdict.rows += rows.length;
    last = block;
  }
  const end = last?._id ?? 0;
  for (const number of wanted.keys()) if (number > end) fault(`block ${number}: its root was kept, and the block is gone`);
  const stray = await auditOf(db).findOne({ block: { $gt: end } });
  if (stray) fault(`block ${stray.block}: row ${stray._id} names it, and there is no such block`);
  verdict.root = last?.root ?? null;
  verdict.unsealed = await auditOf(db).countDocuments({ block: UNSEALED });
  return verdict;
}

function* faultsBetween(last: AuditBlock, block: AuditBlock): Generator<string> {
  if (block._id === last._id + 1) {
    if (block.previous !== last.root) yield `block ${block._id}: it does not follow the root of block ${last._id}`;
    return;
  }
  const missing = block._id === last._id + 2 ? `block ${last._id + 1}` : `blocks ${last._id + 1} to ${block._id - 1}`;
  yield `${missing}: missing`;
}

/** A chain begins with block 1, or with the block after those that a sealed or open row records as expired. */
async function faultsOfBeginning(db: Connection, subgraph: string, { _id, previous }: AuditBlock): Promise<string[]> {
  if (_id === 1) return previous === '' ? [] : ['block 1: it names a root before it'];
  const action = `${subgraph}.${EXPIRED}`;
  const record = await auditOf(db).find({ action }).sort({ _id: -1 }).limit(1).next();
  const isRecorded = record?.target?.id === String(_id - 1) && record.changes?.['root'] === previous;
  return isRecorded ? [] : [`blocks 1 to ${_id - 1}: missing, and no row records that they expired`];
}

function* faultsOfBlock(block: AuditBlock, subgraph: string): Generator<string> {
  if (block.subgraph !== subgraph) yield `block ${block._id}: it belongs to the audit of ${block.subgraph}`;
  if (rootOfBlock(block) !== block.root) yield `block ${block._id}: it was changed after it was sealed`;
}

function* faultsOfRows({ _id, leaves }: AuditBlock, rows: readonly AuditRow[]): Generator<string> {
  const found = new Map(rows.map((row) => [row._id, row]));
  for (const { id, hash } of leaves) {
    const row = found.get(id);
    if (!row) yield `block ${_id}: row ${id} is missing`;
    else if (hashOfRow(row) !== hash) yield `block ${_id}: row ${id} was changed`;
    found.delete(id);
  }
  for (const id of found.keys()) yield `block ${_id}: row ${id} was added after it was sealed`;
}

/** The newest root of one subgraph; null without blocks. */
export async function newestRoot(db: Connection, subgraph: string): Promise<(KeptRoot & { sealedAt: string }) | null> {
  const block = await auditBlocksOf(db).find({}).sort({ _id: -1 }).limit(1).next();
  return block && { subgraph, block: block._id, root: block.root, sealedAt: block.sealedAt.toISOString() };
}
