import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, describe, expect, test } from '@jest/globals';
import { connectMongo } from '#shared/store/mongo.ts';
import { freePort } from './ports.ts';

/* The commands of "Run it in parts" and of the operator, as a person types them: by npm, in development, with the stores of the tests. */

const ROOT = join(import.meta.dirname, '..');
const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
const PATIENCE_MS = 90_000;
const DATABASE_PREFIX = `parts${process.pid}_`;
const STORES = { MONGODB_URI: process.env['MONGODB_URI']!, REDIS_URL: process.env['REDIS_URL']! };
const data = mkdtempSync(join(tmpdir(), 'soko-parts-'));
const env = {
  PATH: process.env['PATH'],
  HOME: process.env['HOME'],
  SOKO_DATA: data,
  DATABASE_PREFIX,
  REDIS_PREFIX: `parts${process.pid}`,
};
const started: ChildProcess[] = [];

/** Runs the script of package.json to the end; answers the exit code and the lines of standard error. Without npm, which takes a second. */
function run(
  [script, , ...args]: [string, ...string[]],
  more: Record<string, string> = {},
): { code: number | null; told: string[]; printed: string } {
  const words = scripts[script]!.replace('exec node ', '').split(' ');
  const { status, stderr, stdout } = spawnSync(process.execPath, [...words, ...args], {
    cwd: ROOT,
    env: { ...env, ...more },
    encoding: 'utf8',
    timeout: PATIENCE_MS,
  });
  return { code: status, told: stderr.trim().split('\n'), printed: stdout };
}

/** Resolves with the address once the process says that it listens. */
function listening(args: string[], more: Record<string, string>): Promise<string> {
  const child = spawn('npm', ['run', '--silent', ...args], {
    cwd: ROOT,
    env: { ...env, ...STORES, ...more },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  started.push(child);
  return new Promise((resolve, reject) => {
    const said: string[] = [];
    createInterface(child.stderr!).on('line', (line) => {
      said.push(line);
      if (line.includes('"listening"')) resolve(JSON.parse(line).url as string);
    });
    child.once('exit', (code) => reject(new Error(`npm run ${args.join(' ')} ended with ${code}:\n${said.join('\n')}`)));
  });
}

afterAll(async () => {
  for (const child of started.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)) {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
  const client = await connectMongo(STORES.MONGODB_URI);
  for (const name of ['accounts', 'categories', 'vendors']) await client.useDb(`${DATABASE_PREFIX}${name}`).dropDatabase();
  await client.close();
  rmSync(data, { recursive: true, force: true });
}, PATIENCE_MS);

describe('a start that cannot work ends with one line that says why', () => {
  test.each<[string, [string, ...string[]], Record<string, string>, RegExp]>([
    [
      'no store',
      ['subgraph', '--', 'orders'],
      { MONGODB_URI: 'mongodb://127.0.0.1:1/' },
      /^Environment: MONGODB_URI: nothing takes connections at mongodb:\/\/127\.0\.0\.1:1\/.+npm run services/,
    ],
    ['an unknown subgraph', ['subgraph', '--', 'orderz'], {}, /^There is no subgraph orderz\. Known: accounts, /],
    ['no subgraph', ['group'], {}, /^Name the subgraphs to run in this process: accounts, /],
    ['addresses that are no JSON', ['group', '--', 'catalog'], { SUBGRAPH_URLS: 'nonsense' }, /^Environment: SUBGRAPH_URLS: must be JSON$/],
    [
      'a log level that there is not',
      ['subgraph', '--', 'orders'],
      { LOG_LEVEL: 'loud' },
      /^Environment: LOG_LEVEL: must be trace or debug/,
    ],
    [
      'a setting of a subgraph',
      ['subgraph', '--', 'accounts'],
      { ...STORES, FAILED_ATTEMPTS_PER_IP: 'many' },
      /^Environment: FAILED_ATTEMPTS_PER_IP: must be a number$/,
    ],
    ['a port that is none', ['gateway:market'], { PORT: 'abc' }, /^Environment: PORT: must be a number$/],
    ['origins that are none', ['gateway:market'], { ...STORES, CORS_ORIGINS: '*' }, /^Environment: CORS_ORIGINS: must be origins such as/],
    [
      'no key in production',
      ['gateway:market'],
      { NODE_ENV: 'production', INTERNAL_SECRET: 'x'.repeat(32) },
      /^Environment: ACCESS_TOKEN_PUBLIC_KEY: must be set/,
    ],
    ['no market to read mails of', ['mail'], {}, /^No running market was found\. Start one with npm start, or set MONGODB_URI/],
    [
      'no store to read mails of',
      ['mail'],
      { ...STORES, MONGODB_URI: 'mongodb://127.0.0.1:1/' },
      /^Environment: MONGODB_URI: nothing takes connections at mongodb:\/\/127\.0\.0\.1:1\//,
    ],
    [
      'no store to make an admin in',
      ['admin', '--', 'create', 'first@people.soko.example'],
      { ...STORES, MONGODB_URI: 'mongodb://127.0.0.1:1/' },
      /^Environment: MONGODB_URI: nothing takes connections at mongodb:\/\/127\.0\.0\.1:1\//,
    ],
    ['no address of an admin', ['admin', '--', 'create'], STORES, /^Usage: npm run admin -- create EMAIL/],
    ['a wrong address of an admin', ['admin', '--', 'create', 'nobody'], STORES, /^nobody is not an e-mail address\. Usage: npm run admin/],
  ])(
    '%s',
    (_case, args, more, line) => {
      expect(run(args, more)).toMatchObject({ code: 1, told: [expect.stringMatching(line)] });
    },
    PATIENCE_MS,
  );

  test(
    'a data folder that cannot be written',
    () => {
      const file = join(data, 'a-file');
      writeFileSync(file, '');

      expect(run(['services'], { SOKO_DATA: join(file, 'data') })).toMatchObject({
        code: 1,
        told: [expect.stringMatching(/a-file\/data cannot be written \(ENOTDIR\)\. Set SOKO_DATA/)],
      });
    },
    PATIENCE_MS,
  );

  test(
    'a demo in production',
    () => {
      const { status, stderr } = spawnSync('npm', ['start', '--silent'], {
        cwd: ROOT,
        env: { ...env, NODE_ENV: 'production' },
        encoding: 'utf8',
      });

      expect([status, stderr.trim()]).toEqual([
        1,
        expect.stringMatching(/^npm start opens a demo .+ refuses NODE_ENV=production\. [^\n]+$/),
      ]);
    },
    PATIENCE_MS,
  );
});

describe('parts that are started by hand', () => {
  test(
    'find one another, share the keys of the machine, and stop when npm is told to',
    async () => {
      const [categories, vendors] = [await freePort(), await freePort()];
      const urls = {
        SUBGRAPH_URLS: JSON.stringify({ categories: `http://127.0.0.1:${categories}`, vendors: `http://127.0.0.1:${vendors}` }),
      };
      const [, gateway] = await Promise.all([
        listening(['group', '--', 'categories', 'vendors'], urls),
        listening(['gateway:market'], { ...urls, PORT: '0' }),
      ]);

      const answer = await fetch(gateway, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query: '{ categoryTree { name } vendors(first: 1) { totalCount } }' }),
      });
      expect(await answer.json()).toEqual({ data: { categoryTree: [], vendors: { totalCount: 0 } } });
      for (const port of [categories, vendors]) {
        const health = await fetch(`http://127.0.0.1:${port}/health`);
        expect(await health.json()).toMatchObject({ status: 'ok', subgraphs: ['categories', 'vendors'] });
      }
      const ends = started.map((child) => once(child, 'exit'));
      for (const child of started) child.kill('SIGTERM');
      await Promise.all(ends);
      await expect(fetch(gateway)).rejects.toThrow();
    },
    PATIENCE_MS,
  );
});

describe('npm run services', () => {
  test(
    'keeps its stores up until it is told to stop',
    async () => {
      const folder = join(data, 'services-data');
      const child = spawn('npm', ['run', '--silent', 'services'], {
        cwd: ROOT,
        env: { ...env, SOKO_DATA: folder, ...(process.env['SOKO_STORE'] && { SOKO_STORE: process.env['SOKO_STORE'] }) },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      started.push(child);
      const ended = once(child, 'exit');
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const uri = /MONGODB_URI='([^']+)'/.exec(line)![1]!;

      // Longer than a process lives that nothing holds.
      const outcome = await Promise.race([ended.then(() => 'ended'), delay(3_000, 'up')]);
      const client = await connectMongo(uri);
      expect([outcome, child.exitCode, client.readyState]).toEqual(['up', null, 1]);
      await client.close();
      child.kill('SIGTERM');
      await ended;
      await expect(fetch(`http://${new URL(uri).host}/`)).rejects.toThrow();
    },
    PATIENCE_MS,
  );
});

describe('npm run admin', () => {
  test(
    'makes the first admin with a password that is shown once, and no second one',
    () => {
      const create = (...args: string[]) => run(['admin', '--', 'create', 'first@people.soko.example', ...args], STORES);

      expect(create()).toMatchObject({ code: 0, printed: expect.stringMatching(/is an admin\. Password, shown this once: [\w-]{20}\n/) });
      expect(create()).toMatchObject({ code: 1, told: [expect.stringMatching(/^There is an admin already/)] });
      expect(run(['mail'], STORES)).toMatchObject({ code: 0, printed: 'No mail is kept.\n' });
    },
    PATIENCE_MS,
  );
});
