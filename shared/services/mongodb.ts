import { join } from 'node:path';
import type { Link, Offer, Program, Surroundings } from './choice.ts';
import { locateMongod } from './mongod-download.ts';
import { pingMongodb } from './ping.ts';
import { findOnPath, isExecutable, run } from './processes.ts';
import { ensureReplicaSet } from './replica-set.ts';
import { findRustStore, RUST_STORE } from './rust-store.ts';
import { flags } from './service.ts';
import type { Service } from './service.ts';

const SECANTUS = 'SecantusDB==0.7.0b3';
const SECANTUS_CONFIG = join(import.meta.dirname, 'secantusd.toml');
const OLDEST_MONGOD = 5;
const REPLICA_SET = 'embedded';

const links: Link[] = [
  {
    name: 'MONGODB_URI',
    remedy: 'set MONGODB_URI to a replica set that is running',
    find: ({ env }) => (env.MONGODB_URI ? { uri: env.MONGODB_URI } : { refused: 'not set' }),
  },
  {
    name: 'mongod',
    key: 'mongod',
    remedy: `put mongod ${OLDEST_MONGOD} or newer on PATH, or set MONGOMS_SYSTEM_BINARY to it`,
    find: ({ env }) => mongodAt(env.MONGOMS_SYSTEM_BINARY ?? findOnPath('mongod', env), env),
  },
  {
    name: 'mongodb-memory-server',
    key: 'download',
    remedy: 'let mongodb-memory-server download a mongod (needs internet access; MONGOMS_DOWNLOAD_MIRROR names a mirror)',
    find: downloadedMongod,
  },
  {
    name: RUST_STORE.program,
    key: 'rust',
    remedy: `run npm run store, which builds ${RUST_STORE.program} with cargo, or put that program on PATH`,
    find: builtSecantusd,
  },
  {
    name: 'SecantusDB from PyPI',
    key: 'python',
    remedy: `have Python >= 3.10 with venv on PATH and a package index from which pip gets ${SECANTUS}`,
    find: secantusdFromPypi,
  },
];

async function mongodAt(file: string | undefined, env: NodeJS.ProcessEnv): Promise<Offer> {
  if (file === undefined) return { refused: 'none on PATH' };
  if (!isExecutable(file)) return { refused: `${file} cannot be run` };
  const { ok, stdout, lastWord } = await run(file, ['--version'], env, 10_000);
  const version = /v(\d+)\.\d+\.\d+/.exec(stdout);
  if (!ok || !version) return { refused: `${file} --version failed: ${lastWord}` };
  if (Number(version[1]) < OLDEST_MONGOD) return { refused: `${file} is ${version[0]}` };
  return { engine: `mongod ${version[0].slice(1)}`, kind: 'mongod', command: [file] };
}

async function downloadedMongod(around: Surroundings): Promise<Offer> {
  const found = await locateMongod(around);
  return 'refused' in found ? found : mongodAt(found.file, around.env);
}

async function builtSecantusd({ env }: Surroundings): Promise<Offer> {
  const file = findRustStore(env);
  if (file === undefined) return { refused: 'none on PATH, and none built' };
  const { ok, stdout, lastWord } = await run(file, ['--version'], env, 10_000);
  const version = stdout.split('\n')[0]?.replace(RUST_STORE.program, '').trim();
  return ok ? { engine: `SecantusDB ${version} (${RUST_STORE.program})`, kind: 'secantusdb', command: [file] } : { refused: lastWord };
}

async function secantusdFromPypi({ venv }: Surroundings): Promise<Offer> {
  const provided = await venv.provide(SECANTUS);
  if ('refused' in provided) return provided;
  // Not the script that pip makes: it holds the full path of its folder and breaks when that is moved.
  return { engine: SECANTUS.replace('==', ' '), kind: 'secantusdb', command: [venv.python, '-m', 'secantus', '--config', SECANTUS_CONFIG] };
}

const mongodFlags = (folder: string, port: number) =>
  flags({
    dbpath: folder,
    port,
    bind_ip: '127.0.0.1',
    replSet: REPLICA_SET,
    oplogSize: 64,
    wiredTigerCacheSizeGB: 0.25,
    nounixsocket: true,
  });

const secantusdFlags = (folder: string, port: number) =>
  flags({
    'storage-path': folder,
    port,
    host: '127.0.0.1',
    'sync-on-commit': true,
    'cache-size': '128M',
    // Not wanted for itself: the heartbeat is what makes the server drop old entries of its change log.
    'noop-heartbeat-seconds': 60,
    'log-level': 'WARNING',
  });

export const mongodb: Service = {
  name: 'mongodb',
  title: 'MongoDB',
  variable: 'MONGODB_URI',
  links,
  args: ({ kind }: Program, folder, port) => (kind === 'mongod' ? mongodFlags(folder, port) : secantusdFlags(folder, port)),
  // SecantusDB does not recognise a write that is sent a second time, so the driver must not do that on its own.
  uri: ({ kind }, port) => `mongodb://127.0.0.1:${port}/?directConnection=true${kind === 'secantusdb' ? '&retryWrites=false' : ''}`,
  isReady: async (_program, port) => {
    const state = await pingMongodb(port);
    // Refused while the server is still reading its own configuration; the next look at it tries again.
    if (state === 'no replica set') await ensureReplicaSet(REPLICA_SET, port).catch(() => undefined);
    return state === 'writable';
  },
};
