import { createHash } from 'node:crypto';
import type { AuditBlock, AuditRow } from './rows.ts';

/** Separates the uses of the hash, so that a leaf can never be taken for an inner node. */
const LEAF = 'l';
const NODE = 'n';
const BLOCK = 'b';

const sha256 = (kind: string, ...parts: string[]): string =>
  createHash('sha256')
    .update([kind, ...parts].join('\n'))
    .digest('base64url');

/** The hash of a row: all of it but the number of its block, with the keys of each object in one order. */
export const hashOfRow = ({ block: _block, ...row }: AuditRow): string => sha256(LEAF, JSON.stringify(row, withSortedKeys));

function withSortedKeys(_key: string, value: unknown): unknown {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
    : value;
}

/** The Merkle root of hashes in their order; a node without a neighbour moves up. */
function merkleRoot(hashes: readonly string[]): string {
  let level = hashes;
  while (level.length > 1) {
    const pairs = Math.ceil(level.length / 2);
    level = Array.from({ length: pairs }, (_, pair) => {
      const [left, right] = [level[2 * pair]!, level[2 * pair + 1]];
      return right === undefined ? left : sha256(NODE, left, right);
    });
  }
  return level[0] ?? '';
}

/** The root of a block, which covers its rows and, through the previous root, all rows before them. */
export const rootOfBlock = ({ _id, subgraph, previous, leaves, until, sealedAt }: Omit<AuditBlock, 'root'>): string =>
  sha256(
    BLOCK,
    subgraph,
    String(_id),
    previous,
    until.toISOString(),
    sealedAt.toISOString(),
    merkleRoot(leaves.map(({ id, hash }) => sha256(LEAF, id, hash))),
  );
