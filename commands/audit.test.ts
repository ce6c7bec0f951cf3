import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Connection } from 'mongoose';
import { auditBlocksOf, auditOf, auditRow, createAuditIndexes, writeAudit } from '#shared/audit/rows.ts';
import { createSealer } from '#shared/audit/sealer.ts';
import { newId } from '#shared/base/ids.ts';
import { createLog } from '#shared/base/log.ts';
import { newHolderId } from '#shared/store/lease-holder.ts';
import { createLeases } from '#shared/store/leases.ts';
import { connectMongo } from '#shared/store/mongo.ts';

const prefix = `cmd_${newId('run').slice(4, 24).toLowerCase()}_`;
let client: Connection;
let db: Connection;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
  db = client.useDb(`${prefix}orders`, { useCache: false });
  await createAuditIndexes(db);
  const log = createLog('test', { level: 'silent' });
  const sealer = createSealer({ subgraph: 'orders', db, leases: createLeases(db), holder: newHolderId(), log, keptYears: 10 });
  for (const number of [1, 2]) {
    const writer = { subgraph: 'orders', identity: { issuer: 'test', viewer: null }, correlationId: 'c', now: new Date() };
    await writeAudit(db, [auditRow(writer, 'placed', { target: `ord_${number}` })]);
    await sealer.seal();
  }
  await sealer.stop();
});
afterAll(async () => {
  await db.dropDatabase();
  await client.getClient().close();
});

const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, DATABASE_PREFIX: prefix };
    execFile(process.execPath, [join(import.meta.dirname, 'audit.ts'), ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });

test('prints roots, verifies against them, and exits with 1 when the end of the chain or a row is gone', async () => {
  const printed = await run('root', '--subgraph', 'orders');
  const { root } = (await auditBlocksOf(db).findOne({ _id: 2 }))!;
  expect(JSON.parse(printed.stdout)).toMatchObject({ subgraph: 'orders', block: 2, root });
  const kept = join(mkdtempSync(join(tmpdir(), 'audit-')), 'roots.jsonl');
  writeFileSync(kept, printed.stdout);
  const intact = await run('verify', '--kept', kept);
  expect(intact).toMatchObject({ code: 0, stdout: expect.stringContaining('orders: intact, 2 blocks with 2 rows') });
  expect(intact.stdout).toContain('accounts: intact, 0 blocks');

  const [gone] = await auditOf(db).find({ block: 1 }).toArray();
  await auditOf(db).deleteOne({ _id: gone!._id });
  await auditOf(db).deleteMany({ block: 2 });
  await auditBlocksOf(db).deleteOne({ _id: 2 });

  expect(await run('verify', '--subgraph', 'orders', '--kept', kept)).toMatchObject({
    code: 1,
    stdout: `orders: 2 faults, 1 blocks with 0 rows\n  block 1: row ${gone!._id} is missing\n  block 2: its root was kept, and the block is gone\n`,
  });
});

test.each([
  [['check'], 'Say what to do'],
  [['verify', '--subgraph', 'nowhere'], 'There is no subgraph called nowhere'],
])('refuses %j in one line', async (args, message) => {
  const { code, stderr } = await run(...args);

  expect(code).toBe(1);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});
