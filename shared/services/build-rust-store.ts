import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { mongo } from 'mongoose';
import { findOnPath } from './processes.ts';
import { RUST_STORE_PATCH } from './rust-store-patch.ts';
import { findRustStore, RUST_STORE, rustStoreFolder } from './rust-store.ts';
import { openServices } from './services.ts';

/*
 * `npm run store`: builds the fast store once for this user, and says how much faster it is. `npm start` on empty data, `npm test` and the
 * benches then use it. Data that another store has written stay with that one until `npm start -- --fresh`.
 */

const MEASURED_MS = 5_000;
const AT_ONCE = 8;
const TRANSACTION = { readConcern: { level: 'snapshot' }, writeConcern: { w: 'majority' } } as const;

/** Fetches the sources of the crate, mends them, and compiles the server into the user's cache folder. */
async function build(): Promise<boolean> {
  if (!findOnPath('cargo', process.env)) {
    console.error(`npm run store needs cargo, Rust's package manager, on PATH. Without it the store from PyPI is used.`);
    return false;
  }
  const { crate, version, program } = RUST_STORE;
  console.log(`Building ${crate} ${version}: about five minutes on two cores, once.`);
  const folder = rustStoreFolder(process.env);
  const work = join(folder, 'build');
  rmSync(work, { recursive: true, force: true });
  const sources = await fetchSources(join(work, 'fetch'));
  for (const name of [crate, RUST_STORE_PATCH.package]) cpSync(dirname(sources.get(name)!), join(work, name), { recursive: true });
  mend(join(work, RUST_STORE_PATCH.package, RUST_STORE_PATCH.file));
  const manifest = join(work, crate, 'Cargo.toml');
  appendFileSync(manifest, `\n[patch.crates-io]\n${RUST_STORE_PATCH.package} = { path = "../${RUST_STORE_PATCH.package}" }\n`);
  await cargo(['build', '--release', '--ignore-rust-version', '--bin', program, '--manifest-path', manifest]);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  copyFileSync(join(work, crate, 'target/release', program), join(folder, 'bin', program));
  rmSync(work, { recursive: true, force: true });
  return true;
}

/** Manifest of each package that the server consists of, by name. */
async function fetchSources(folder: string): Promise<Map<string, string>> {
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'src/main.rs'), 'fn main() {}\n');
  const [head, dependency] = ['[package]\nname = "fetch"\nversion = "0.0.0"\nedition = "2021"\n', `"=${RUST_STORE.version}"`];
  writeFileSync(join(folder, 'Cargo.toml'), `${head}[dependencies]\n${RUST_STORE.crate} = ${dependency}\n`);
  const text = await cargo(['metadata', '--format-version', '1', '--manifest-path', join(folder, 'Cargo.toml')]);
  const { packages } = JSON.parse(text) as { packages: { name: string; manifest_path: string }[] };
  return new Map(packages.map(({ name, manifest_path }) => [name, manifest_path]));
}

function mend(file: string): void {
  let text = readFileSync(file, 'utf8');
  for (const { find, replace } of RUST_STORE_PATCH.edits) {
    if (text.split(find).length !== 2) throw new Error(`The store's source has changed: ${find.trim()} is not there exactly once.`);
    text = text.replace(find, () => replace);
  }
  writeFileSync(file, text);
}

/** What cargo prints on standard output; its progress goes to the terminal. */
async function cargo(args: string[]): Promise<string> {
  const child = spawn('cargo', args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let output = '';
  child.stdout.on('data', (chunk) => (output += String(chunk)));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`cargo ${args[0]} ended with ${code}. The store from PyPI goes on being used.`);
  return output;
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
  console.log(
    'npm test and the benches use it from now on; npm start does on empty data (npm start -- --fresh deletes those that are there).',
  );
} else {
  process.exitCode = 1;
}
