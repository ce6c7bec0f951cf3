import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import { writeJson } from './files.ts';
import { pingRedis } from './ping.ts';
import { signal, stampOf } from './processes.ts';
import { DataDirInUse, openServices } from './services.ts';
import type { Services } from './services.ts';
import { connectTo, openGround } from './test-ground.ts';

const ground = openGround();
/** The chain has tests of its own: here services are found as on any start, only not those that the tests run on. */
const env = { ...ground.env, PATH: process.env.PATH };
const opened: Services[] = [];
let log: string[] = [];

async function open(name: string, fresh = false): Promise<Services> {
  const services = await openServices({ dataDir: ground.folder(name), fresh, env, log: (line) => log.push(line) });
  opened.push(services);
  return services;
}

/** Another program that opens services and holds them until it is killed or told to stop. */
async function openElsewhere(name: string): Promise<{ pid: number; processes: Services['processes']; ended: Promise<unknown> }> {
  const program = `
    const { openServices } = await import(${JSON.stringify(join(import.meta.dirname, 'services.ts'))});
    const services = await openServices({ dataDir: ${JSON.stringify(ground.folder(name))}, log: () => undefined });
    process.once('SIGINT', async () => {
      await services.close();
      process.exit();
    });
    process.once('SIGTERM', () => process.exit(1));
    console.log(JSON.stringify(services.processes));
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'close');
  const [processes] = (await once(lines, 'line')) as [string];
  return { pid: child.pid ?? 0, processes: JSON.parse(processes) as Services['processes'], ended };
}

afterEach(async () => {
  await Promise.all(opened.splice(0).map((services) => services.close()));
  log = [];
}, 30_000);

afterAll(() => ground.clear());

describe('data', () => {
  test('survive a restart that needs no search, on the same ports', async () => {
    const before = await open('restart');
    const one = await connectTo(before);
    await one.write('first');
    await one.close();
    await before.close();

    const after = await openServices({ dataDir: ground.folder('restart'), env: { ...env, PATH: '' }, log: (line) => log.push(line) });
    opened.push(after);
    const { read, close } = await connectTo(after);

    expect(await read()).toEqual({ mongodb: 'first', redis: 'first' });
    expect([after.mongodb.uri, after.redis.uri]).toEqual([before.mongodb.uri, before.redis.uri]);
    await close();
  });

  test('are gone after a fresh start', async () => {
    const before = await open('fresh');
    const one = await connectTo(before);
    await one.write('first');
    await one.close();
    await before.close();

    const { read, close } = await connectTo(await open('fresh', true));

    expect(await read()).toEqual({ mongodb: undefined, redis: undefined });
    await close();
  });
});

describe('a service that is killed', () => {
  test.each(['mongodb', 'redis'] as const)('%s comes back with its data, for clients that only wait', async (name) => {
    const services = await open(`killed-${name}`);
    const { write, read, close } = await connectTo(services);
    await write('before');
    const killed = services[name].pid ?? 0;

    process.kill(killed, 'SIGKILL');
    const found = await read();

    expect(found).toEqual({ mongodb: 'before', redis: 'before' });
    expect(services[name].pid).not.toBe(killed);
    expect(log).toContain(`${name}: process ${killed} died, starting it again`);
    await close();
  });

  test('can be closed while it is being started again, and leaves nothing behind', async () => {
    const services = await open('closing');
    process.kill(services.mongodb.pid ?? 0, 'SIGKILL');
    process.kill(services.redis.pid ?? 0, 'SIGKILL');

    await services.close();

    expect(services.processes.map(({ pid }) => stampOf(pid))).toEqual([null, null]);
  });
});

describe('another process', () => {
  test('that was killed leaves services which the next start goes on with, and then owns', async () => {
    const parent = await openElsewhere('orphans');
    process.kill(parent.pid, 'SIGKILL');
    await parent.ended;

    const services = await open('orphans');
    const { write, read, close } = await connectTo(services);
    await write('adopted');
    const [mongodb, redis] = services.processes;
    expect(services.processes).toEqual(parent.processes);

    process.kill(redis?.pid ?? 0, 'SIGKILL');
    expect(await read()).toEqual({ mongodb: 'adopted', redis: 'adopted' });
    expect(services.redis.pid).not.toBe(redis?.pid);

    await close();
    await services.close();
    expect(stampOf(mongodb?.pid ?? 0)).toBeNull();
  });

  test('that was killed does not keep a fresh start from deleting its data', async () => {
    const parent = await openElsewhere('fresh-orphans');
    process.kill(parent.pid, 'SIGKILL');
    await parent.ended;

    const services = await open('fresh-orphans', true);

    expect(parent.processes.map(({ pid }) => stampOf(pid))).toEqual([null, null]);
    expect(await pingRedis(services.redis.port ?? 0)).toBe(true);
  });

  test('that exits without closing takes its services along, and the next start waits for their end', async () => {
    const parent = await openElsewhere('exit');
    process.kill(parent.pid, 'SIGTERM');
    await parent.ended;

    const services = await open('exit');
    const { write, read, close } = await connectTo(services);
    await write('after');

    expect(await read()).toEqual({ mongodb: 'after', redis: 'after' });
    expect(parent.processes.map(({ pid }) => stampOf(pid))).toEqual([null, null]);
    await close();
  });

  test('that gets Ctrl-C stops its services itself: the signal does not reach them', async () => {
    const parent = await openElsewhere('ctrl-c');

    signal(-parent.pid, 'SIGINT');
    await parent.ended;

    const said = readFileSync(join(ground.folder('ctrl-c'), 'redis', 'log'), 'utf8');
    expect(said).toContain('Received SIGTERM');
    expect(said).not.toContain('Received SIGINT');
    expect(parent.processes.map(({ pid }) => stampOf(pid))).toEqual([null, null]);
  });

  test('keeps the data folder to itself while it lives', async () => {
    const first = await open('shared');

    const second = open('shared');

    await expect(second).rejects.toThrow(DataDirInUse);
    await expect(second).rejects.toThrow(`is in use by process ${process.pid}`);
    expect(first.processes.map(({ pid }) => stampOf(pid))).not.toContain(null);
  });

  test('whose id was given to somebody else is neither waited for nor touched', async () => {
    const dataDir = ground.folder('reused');
    const stranger = { pid: process.ppid, stamp: 'of a process that is gone' };
    writeJson(join(dataDir, 'services.json'), { mongodb: { port: 1, running: stranger }, redis: { port: 1, running: stranger } });
    writeFileSync(join(dataDir, 'services.lock'), JSON.stringify(stranger));

    const services = await open('reused', true);

    expect(services.processes).toHaveLength(2);
    expect(stampOf(process.ppid)).not.toBeNull();
  });
});

test('closing twice is closing once, and frees the folder', async () => {
  const services = await open('twice');

  await Promise.all([services.close(), services.close()]);

  expect(existsSync(join(ground.folder('twice'), 'services.lock'))).toBe(false);
});
