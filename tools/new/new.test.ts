import { once } from 'node:events';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawn, spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { toolsFolder } from '#shared/base/data-folder.ts';
import { newSubgraph } from './new.ts';

const ROOT = join(import.meta.dirname, '../..');
const COPIED = [
  'package.json',
  'rover.yaml',
  'docker-compose.yml',
  '.env.example',
  '.oxfmtrc.json',
  '.oxlintrc.json',
  'tsconfig.json',
  'schema',
  'shared',
  'subgraphs',
  'tools',
];
/** Files that the tests of lists read, and that a new subgraph does not change. */
const READ = ['Dockerfile', '.dockerignore', 'gateway', 'commands', 'demo', 'bench', 'sandbox'];
const RUN_MS = 180_000;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'soko-new-'));
  for (const name of [...COPIED, ...READ]) cpSync(join(ROOT, name), join(root, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const run = (...args: string[]): { status: number | null; output: string } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8', env: process.env });
  return { status, output: `${stdout}${stderr}` };
};

/** Runs a script of package.json as npm does, without what comes before it: the packages are there. */
function npm(line: string): ReturnType<typeof run> {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: Record<string, string> };
  const [, name = '', rest = ''] = /^npm (?:run )?([\w-]+)(?: -- (.*))?$/.exec(line) ?? [];
  const path = [join(root, 'node_modules/.bin'), process.env['PATH']].join(delimiter);
  const child = spawnSync(`${scripts[name]} ${rest}`, { cwd: root, encoding: 'utf8', shell: true, env: { ...process.env, PATH: path } });
  return { status: child.status, output: `${child.stdout}${child.stderr}` };
}

const guide = readFileSync(join(ROOT, 'docs/add-a-subgraph.md'), 'utf8');
const block = (language: string): string => new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(guide)![1]!;
const commands = block('bash')
  .trim()
  .split('\n')
  .map((line) => line.replace(/ *#.*/, ''));

/** `npm start` of the guide, until it answers; its own stores, since those of this test are not its own. */
async function withStarted(work: (http: string, user: { email: string; password: string }) => Promise<void>): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'soko-new-data-'));
  const { MONGODB_URI: _mongodb, REDIS_URL: _redis, NODE_OPTIONS: _options, ...rest } = process.env;
  const env = { ...rest, NODE_ENV: 'development', SOKO_DATA: data, SOKO_TOOLS: toolsFolder() };
  const child = spawn(process.execPath, ['demo/start.ts', '--port', '0'], { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += String(chunk)));
  const ended = once(child, 'exit');
  try {
    const file = join(data, 'demo.json');
    while (!existsSync(file)) {
      if (child.exitCode !== null) throw new Error(`npm start did not come up:\n${output}`);
      await delay(50);
    }
    const { http, users } = JSON.parse(readFileSync(file, 'utf8')) as {
      http: string;
      users: Record<string, { email: string; password: string }>;
    };
    await work(http, users['buyer1']!);
  } finally {
    child.kill('SIGTERM');
    await ended;
    rmSync(data, { recursive: true, force: true });
  }
}

describe('npm run new -- subgraph', () => {
  test(
    'makes a subgraph that composes, is listed everywhere, passes its check and its test, and answers through the gateway, as the guide says',
    async () => {
      const [make, check, ownTest, start, ...others] = commands;
      expect([start, others]).toEqual(['npm start', []]);
      expect(npm(make!)).toMatchObject({ status: 0, output: expect.stringMatching(/Composed \d+ subgraphs/) });
      expect(readFileSync(join(root, 'schema/supergraph.graphql'), 'utf8')).toContain('type GiftCard');
      expect(npm(check!)).toMatchObject({ status: 0, output: expect.not.stringContaining('FAILED') });
      expect(npm(`${ownTest} --runInBand schema/project-files`)).toMatchObject({
        status: 0,
        output: expect.stringMatching(/Test Suites: 2 passed/),
      });

      await withStarted(async (http, user) => {
        const ask = async (query: string, token?: string, variables?: object): Promise<any> => {
          const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
          return (await fetch(http, { method: 'POST', headers, body: JSON.stringify({ query, variables }) })).json();
        };
        const login = 'mutation ($input: LoginInput!) { login(input: $input) { accessToken } }';
        const token = (await ask(login, undefined, { input: user })).data.login.accessToken as string;
        const { giftCard, userErrors } = (await ask(block('graphql'), token)).data.createGiftCard;

        expect(userErrors).toEqual([]);
        expect(await ask('{ myGiftCards { id title } }', token)).toEqual({ data: { myGiftCards: [giftCard] } });
      });
    },
    RUN_MS,
  );

  test.each([
    ['a name that is taken', ['subgraph', 'orders'], 'subgraphs/orders exists already.'],
    ['a name with capitals', ['subgraph', 'GiftCards'], 'small letters, digits and dashes'],
    ['a way out of the folder', ['subgraph', '../orders'], 'small letters, digits and dashes'],
    ['no name', ['subgraph'], 'small letters, digits and dashes'],
    ['a type that is none', ['subgraph', 'notes', '--type', 'a b'], '--type must be the name of a GraphQL type'],
    ['another kind', ['gateway', 'notes'], 'npm run new -- subgraph NAME'],
    ['an unknown option', ['subgraph', 'notes', '--port', '1'], "Unknown option '--port'"],
  ])('refuses %s in one line, and writes nothing', (_case, args, line) => {
    const before = readdirSync(join(root, 'subgraphs'));

    const { status, output } = run('tools/new/new.ts', ...args);

    expect({ status, lines: output.trim().split('\n') }).toEqual({ status: 1, lines: [expect.stringContaining(line)] });
    expect(readdirSync(join(root, 'subgraphs'))).toEqual(before);
  });

  test('writes nothing when the file of containers has no place for it', () => {
    writeFileSync(join(root, 'docker-compose.yml'), 'services: {}\n');

    expect(() => newSubgraph(root, 'notes')).toThrow('docker-compose.yml has no subgraph');
    expect(readdirSync(join(root, 'subgraphs'))).not.toContain('notes');
  });
});
