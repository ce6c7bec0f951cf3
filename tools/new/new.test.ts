import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newSubgraph } from './new.ts';

const ROOT = join(import.meta.dirname, '../..');
const COPIED = [
  'package.json',
  'rover.yaml',
  'docker-compose.yml',
  '.env.example',
  '.oxfmtrc.json',
  'schema',
  'shared',
  'subgraphs',
  'tools',
];
/** Files that the tests of lists read, and that a new subgraph does not change. */
const READ = ['Dockerfile', '.dockerignore', 'gateway', 'commands', 'demo', 'bench'];
const RUN_MS = 120_000;

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

describe('npm run new -- subgraph', () => {
  test(
    'makes a subgraph that composes, is listed everywhere, and passes its own test',
    () => {
      expect(run('tools/new/new.ts', 'subgraph', 'gift-cards')).toMatchObject({
        status: 0,
        output: expect.stringMatching(/Composed \d+ subgraphs/),
      });

      expect(readFileSync(join(root, 'schema/supergraph.graphql'), 'utf8')).toContain('type GiftCard');
      const jest = ['--disable-warning=ExperimentalWarning', '--experimental-vm-modules', 'node_modules/jest/bin/jest.js'];
      const tested = run(...jest, '--runInBand', 'subgraphs/gift-cards', 'schema/project-files', 'schema/compose');
      expect(tested).toMatchObject({ status: 0, output: expect.stringMatching(/Test Suites: 3 passed/) });
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
