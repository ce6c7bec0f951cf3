import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { connectMongo } from '#shared/store/mongo.ts';
import { environmentOf, readCompose } from './rules/compose-file.ts';
import { ROOT } from './rules/load-subgraph.ts';

/* One subgraph as a process of its own: the command and the environment of docker-compose.yml, without a container. */

const service = readCompose().services['categories']!;

const DATABASE_PREFIX = `house${process.pid}_`;

let child: ChildProcess | undefined;
let port: number;
const said: string[] = [];

beforeAll(async () => {
  port = await freePort();
  const [node, ...args] = service.command;
  const stores = {
    MONGODB_URI: process.env['MONGODB_URI'],
    REDIS_URL: process.env['REDIS_URL'],
    DATABASE_PREFIX,
    REDIS_PREFIX: `house${process.pid}`,
    SUBGRAPH_URLS: JSON.stringify({ categories: `http://127.0.0.1:${port}` }),
  };
  expect(node).toBe('node');
  child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], ...environmentOf(service), ...stores },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  await listening(child, said);
});

afterAll(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  const client = await connectMongo(process.env['MONGODB_URI']!);
  await client.useDb(`${DATABASE_PREFIX}categories`).dropDatabase();
  await client.close();
});

test('answers that it is alive and ready', async () => {
  const health = await fetch(`http://127.0.0.1:${port}/health`);

  expect(await health.json()).toMatchObject({ status: 'ok', service: 'categories', checks: { mongodb: 'up', redis: 'up' } });
  expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200);
});

test('is found healthy by its health check, and a port where nobody is, is not', async () => {
  const [, , file = ''] = service.healthcheck!.test;
  const check = async (at: number): Promise<unknown> => {
    const probe = spawn(process.execPath, [file, String(at)], { cwd: ROOT, stdio: 'inherit' });
    const [code] = (await once(probe, 'exit')) as [number | null];
    return code;
  };

  expect(await check(port)).toBe(0);
  expect(await check(await freePort())).toBe(1);
});

test('tells strangers nothing', async () => {
  const answer = await fetch(`http://127.0.0.1:${port}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: '{ categoryTree { id } }' }),
  });

  expect(answer.status).toBe(401);
});

test('stops in order when it is told to', async () => {
  child!.kill('SIGTERM');
  const [code, signal] = (await once(child!, 'exit')) as [number | null, string | null];

  expect({ code, signal }).toEqual({ code: 0, signal: null });
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when the process says that it listens; rejects with what it said when it ends before. */
function listening(child: ChildProcess, said: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface(stream).on('line', (line) => {
        said.push(line);
        if (line.includes('"listening"')) resolve();
      });
    }
    child.once('exit', (code) => reject(new Error(`It ended with ${code}:\n${said.join('\n')}`)));
  });
}
