import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import { newHolderId } from '../store/lease-holder.ts';
import { createLeases } from '../store/leases.ts';
import { connectMongo, inTransaction } from '../store/mongo.ts';
import { createLog } from '../base/log.ts';
import { createRefusalLimiter } from './refusals.ts';
import { auditBlocksOf, auditModel, auditOf, auditRow, createAuditIndexes, writeAudit, type AuditRow } from './rows.ts';
import { createSealer, type Sealer } from './sealer.ts';
import { newestRoot, verifyAudit } from './verify.ts';

let client: Connection;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
});
afterAll(() => client.getClient().close());

const log = createLog('audit', { level: 'silent' });
const sealerOf = (db: Connection, keptYears = 10): Sealer =>
  createSealer({ subgraph: 'boards', db, leases: createLeases(db), holder: newHolderId(), log, keptYears });
const row = (number: number, now = new Date()): AuditRow =>
  auditRow({ subgraph: 'boards', identity: { issuer: 'test', viewer: null }, correlationId: 'c', now }, 'createBoard', {
    target: { type: 'Board', id: `brd_${number}` },
    changes: { fields: ['title'] },
  });
const rows = (count: number): AuditRow[] => Array.from({ length: count }, (_, number) => row(number));

async function withAudit(work: (db: Connection) => Promise<void>): Promise<void> {
  const db = client.useDb(`audit_${newId('run').slice(4, 30).toLowerCase()}`, { useCache: false });
  await createAuditIndexes(db);
  try {
    await work(db);
  } finally {
    await db.dropDatabase();
  }
}

/** Three blocks of three rows. */
const withSealed = (work: (db: Connection) => Promise<void>): Promise<void> =>
  withAudit(async (db) => {
    const sealer = sealerOf(db);
    for (let block = 0; block < 3; block += 1) {
      await writeAudit(db, rows(3));
      await sealer.seal();
    }
    await sealer.stop();
    await work(db);
  });

describe('the seal', () => {
  test('covers every row once, in the order of ids, with each block on the root of the one before', () =>
    withSealed(async (db) => {
      const blocks = await auditBlocksOf(db).find().sort({ _id: 1 }).toArray();
      const ids = (await auditOf(db).find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id);

      expect(blocks.map(({ _id }) => _id)).toEqual([1, 2, 3]);
      expect(blocks.map(({ previous }) => previous)).toEqual(['', blocks[0]!.root, blocks[1]!.root]);
      expect(blocks.flatMap(({ leaves }) => leaves.map(({ id }) => id))).toEqual(ids);
      expect(await verifyAudit(db, 'boards')).toMatchObject({ blocks: 3, rows: 9, unsealed: 0, faults: [], root: blocks[2]!.root });
    }));

  test('holds a row that commits after younger rows were sealed, in a later block', () =>
    withAudit(async (db) => {
      const sealer = sealerOf(db);
      let late: AuditRow | undefined;
      await inTransaction(
        db,
        async (session) => {
          late = row(0);
          await writeAudit(db, [late], session);
          await auditOf(db).insertMany(rows(2)); // Past the transaction: mongoose would put it in.
          await sealer.seal();
        },
        Date.now() + 5_000,
      );
      await sealer.seal();
      await sealer.stop();

      const [first, second] = await auditBlocksOf(db).find().sort({ _id: 1 }).toArray();
      expect(second!.leaves.map(({ id }) => id)).toEqual([late!._id]);
      expect(first!.leaves.every(({ id }) => id > late!._id)).toBe(true);
      expect(await verifyAudit(db, 'boards')).toMatchObject({ rows: 3, unsealed: 0, faults: [] });
    }));

  test('is written once when several processes seal at the same time', () =>
    withAudit(async (db) => {
      await writeAudit(db, rows(2_500));
      const sealers = [1, 2, 3].map(() => sealerOf(db));

      await Promise.all(sealers.map((sealer) => sealer.seal()));
      await Promise.all(sealers.map((sealer) => sealer.stop()));

      expect(await verifyAudit(db, 'boards')).toMatchObject({ blocks: 3, rows: 2_500, unsealed: 0, faults: [] });
    }));
});

describe('verification finds', () => {
  const second = async (db: Connection) => (await auditBlocksOf(db).findOne({ _id: 2 }))!;

  test.each<[string, (db: Connection) => Promise<unknown>, string | RegExp]>([
    [
      'a changed row',
      async (db) => auditOf(db).updateOne({ _id: (await second(db)).leaves[1]!.id }, { $set: { actor: 'usr_other' } }),
      /^block 2: row aud_\w+ was changed$/,
    ],
    ['a deleted row', async (db) => auditOf(db).deleteOne({ _id: (await second(db)).leaves[1]!.id }), /^block 2: row aud_\w+ is missing$/],
    [
      'a row that was added to a sealed block',
      (db) => auditOf(db).insertOne({ ...row(9), block: 2 }),
      /^block 2: row aud_\w+ was added after it was sealed$/,
    ],
    [
      'a block with the hash of a changed row',
      async (db) => auditBlocksOf(db).updateOne({ _id: 2 }, { $set: { 'leaves.1.hash': (await second(db)).leaves[0]!.hash } }),
      'block 2: it was changed after it was sealed',
    ],
    ['a deleted block', (db) => auditBlocksOf(db).deleteOne({ _id: 2 }), 'block 2: missing'],
    [
      'a deleted beginning',
      (db) => Promise.all([auditBlocksOf(db).deleteOne({ _id: 1 }), auditOf(db).deleteMany({ block: 1 })]),
      'blocks 1 to 1: missing, and no row records that they expired',
    ],
    [
      'rows whose block is gone from the end',
      (db) => auditBlocksOf(db).deleteOne({ _id: 3 }),
      /^block 3: row aud_\w+ names it, and there is no such block$/,
    ],
  ])('%s, and names its place', (_case, tamper, fault) =>
    withSealed(async (db) => {
      await tamper(db);

      const { faults } = await verifyAudit(db, 'boards');

      expect(faults).toContainEqual(expect.stringMatching(fault instanceof RegExp ? fault : `^${fault}$`));
    }),
  );

  test('a removed end, by a root that was kept elsewhere', () =>
    withSealed(async (db) => {
      const kept = (await newestRoot(db, 'boards'))!;
      await Promise.all([auditBlocksOf(db).deleteOne({ _id: 3 }), auditOf(db).deleteMany({ block: 3 })]);

      expect((await verifyAudit(db, 'boards')).faults).toEqual([]);
      expect((await verifyAudit(db, 'boards', [kept])).faults).toEqual(['block 3: its root was kept, and the block is gone']);
    }));
});

test('expired blocks go as a whole and leave a row that proves the rest of the chain', () =>
  withAudit(async (db) => {
    const sealer = sealerOf(db);
    const longAgo = new Date(Date.now() - 3 * 366 * 24 * 3_600_000);
    for (const time of [longAgo, longAgo, new Date()]) {
      await writeAudit(db, [row(1, time), row(2, longAgo)]);
      await sealer.seal();
    }
    await sealer.stop();

    const expiring = sealerOf(db, 2);
    await expiring.seal();
    await expiring.seal();
    await expiring.stop();

    const verdict = await verifyAudit(db, 'boards');
    expect(verdict).toMatchObject({ blocks: 2, rows: 3, faults: [] });
    expect(await auditOf(db).findOne({ action: 'boards.audit.expired' })).toMatchObject({
      actor: 'system:audit',
      target: { type: 'AuditBlock', id: '2' },
      changes: { rows: 4 },
    });
  }));

test('rows of the audit cannot be changed or removed through the model', () =>
  withSealed(async (db) => {
    const Audit = auditModel(db);

    await expect(Audit.updateMany({}, { outcome: 'OK' }).exec()).rejects.toMatchObject({ name: 'AppendOnlyError' });
    await expect(Audit.deleteMany({}).exec()).rejects.toMatchObject({ name: 'AppendOnlyError' });
  }));

test('a flood of equal refusals writes five rows a minute and one with the count', () => {
  let now = 0;
  const limiter = createRefusalLimiter(() => now);
  const refusal = (): AuditRow => ({ ...row(1), actor: 'anonymous', outcome: 'INVALID_CREDENTIALS' });

  const written = Array.from({ length: 1_000 }, () => limiter.admit(refusal())).filter((each) => each !== undefined);
  const other = limiter.admit({ ...refusal(), actor: 'usr_1' });
  const early = limiter.drain();
  now += 60_000;
  const [counted, ...rest] = limiter.drain();

  expect(written).toHaveLength(5);
  expect(other).toBeDefined();
  expect(early).toEqual([]);
  expect(counted).toMatchObject({ actor: 'anonymous', repeated: 994 });
  expect(rest).toEqual([]);
});
