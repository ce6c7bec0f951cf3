import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mongo } from 'mongoose';
import { findOnPath } from './processes.ts';
import { findRustStore, RUST_STORE, rustStoreFolder } from './rust-store.ts';
import { openServices } from './services.ts';

/*
 * `npm run store`: builds the fast store once for this user, and says how much faster it is. `npm start` on empty data, `npm test` and the
 * benches then use it. Data that another store has written stay with that one until `npm start -- --fresh`.
 */

const MEASURED_MS = 5_000;
const AT_ONCE = 8;
const TRANSACTION = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;

async function build(): Promise<boolean> {
  if (!findOnPath('cargo', process.env)) {
    console.error(`npm run store needs cargo, Rust's package manager, on PATH. Without it the store from PyPI is used.`);
    return false;
  }
  console.log(`Building ${RUST_STORE.crate} ${RUST_STORE.version}: about five minutes on two cores, once.`);
  const { crate, version } = RUST_STORE;
  const args = ['install', '--locked', '--ignore-rust-version', '--version', version, '--root', rustStoreFolder(process.env), crate];
  const [code] = (await once(spawn('cargo', args, { stdio: 'inherit' }), 'exit')) as [number | null];
  if (code !== 0) console.error(`cargo ended with ${code}; the store from PyPI goes on being used.`);
  return code === 0;
}

/** Transactions a second, three writes each, as an order's are. */
async function measure(store: 'rust' | 'python'): Promise<number> {
  const dataDir = mkdtempSync(join(tmpdir(), 'soko-store-'));
  const env = { ...process.env, MONGODB_URI: '', SOKO_STORE: store };
  const services = await openServices({ dataDir, env, log: () => undefined });
  const client = await new mongo.MongoClient(services.mongodb.uri).connect();
  try {
    const rows = client.db('measure').collection('rows');
    await rows.createIndex({ key: 1 });
    let done = 0;
    const end = Date.now() + MEASURED_MS;
    const writer = async (): Promise<void> => {
      while (Date.now() < end) {
        await client.withSession(async (session) => {
          session.startTransaction(TRANSACTION);
          for (const key of [1, 2, 3]) await rows.insertOne({ key }, { session });
          await session.commitTransaction();
        });
        done += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, writer));
    return Math.round((done / MEASURED_MS) * 1_000);
  } finally {
    await client.close();
    await services.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

if (findRustStore(process.env) || (await build())) {
  console.log(`The store is ${findRustStore(process.env)}.`);
  const [rust, python] = [await measure('rust'), await measure('python').catch(() => undefined)];
  const beside = python === undefined ? '' : `, ${(rust / python).toFixed(1)} times the store from PyPI (${python})`;
  console.log(`${rust} transactions a second, ${AT_ONCE} at a time with three writes each${beside}.`);
  console.log('npm test and the benches use it from now on; npm start does on empty data (npm start -- --fresh deletes those that are there).');
} else {
  process.exitCode = 1;
}
