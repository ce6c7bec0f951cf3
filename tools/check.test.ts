import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { check, readParts } from './check.ts';
import { subgraphParts, type Part } from './subgraph-parts.ts';
import { jestArguments } from './test.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'check-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function run(parts: Part[], atOnce = 2) {
  let said = '';
  const passed = await check(parts, { folder, atOnce, say: (text) => (said += text) });
  return {
    passed,
    lines: said
      .replaceAll(/\d+\.\d s/g, '0.0 s')
      .split('\n')
      .slice(0, -1),
  };
}

const node = (code: string): string => `node -e "${code}"`;

test('says one line for each part and nothing of what a passing part printed', async () => {
  const { passed, lines } = await run([
    { name: 'one', command: node(`console.log('all is well')`) },
    { name: 'second', command: node('0') },
  ]);

  expect(passed).toBe(true);
  expect(lines.sort()).toEqual(['one     ok      0.0 s', 'second  ok      0.0 s']);
});

test('shows what a failing part printed, and still runs the others', async () => {
  const parts = [
    { name: 'bad', command: node(`console.log('\\u001b[31ma fault\\u001b[0m');console.error('in line 3');process.exitCode=2`) },
    { name: 'good', command: node('0') },
  ];

  const { passed, lines } = await run(parts, 1);

  expect(passed).toBe(false);
  expect(lines).toEqual(['bad   FAILED  0.0 s', '  a fault', '  in line 3', 'good  ok      0.0 s']);
});

test('takes a tool that is not there for a failure', async () => {
  const { passed, lines } = await run([{ name: 'lint', command: 'no-such-tool --at-all' }]);

  expect(passed).toBe(false);
  expect(lines.join('\n')).toContain('no-such-tool');
});

test('finds the tools of the project without npm', async () => {
  expect((await run([{ name: 'tool', command: 'oxfmt --version' }])).passed).toBe(true);
});

test.each([1, 2])('runs no more than %i at once', async (atOnce) => {
  // Each part notes its start and its end in one file; the end of the others comes before the start of the one too many.
  const note = `const fs=require('fs');fs.appendFileSync('log','+');setTimeout(()=>fs.appendFileSync('log','-'),200)`;
  await writeFile(join(folder, 'log'), '');

  await run(
    [1, 2, 3, 4].map((nth) => ({ name: String(nth), command: node(note) })),
    atOnce,
  );

  let running = 0;
  let most = 0;
  for (const sign of await readFile(join(folder, 'log'), 'utf8')) {
    running += sign === '+' ? 1 : -1;
    most = Math.max(most, running);
  }
  expect(most).toBe(atOnce);
});

describe('the parts', () => {
  test('are those the project promises', () => {
    expect(
      readParts()
        .map(({ name }) => name)
        .sort(),
    ).toEqual(['architecture', 'composition', 'format', 'lint', 'rules', 'types', 'unused']);
  });

  test('must all be scripts of package.json', async () => {
    await writeFile(join(folder, 'package.json'), JSON.stringify({ scripts: { types: 'tsc' } }));

    expect(() => readParts(folder)).toThrow('package.json has no script lint');
  });
});

describe('one subgraph', () => {
  test('is checked with the files that import its contract, and without the rest', async () => {
    await mkdir(join(folder, 'subgraphs/notes'), { recursive: true });
    await mkdir(join(folder, 'subgraphs/boards'), { recursive: true });
    await writeFile(join(folder, 'subgraphs/boards/actions.ts'), `import { a } from '../notes/contract.ts';\n`);
    await writeFile(join(folder, 'subgraphs/boards/model.ts'), `export const unrelated = 'notes/';\n`);

    const commands = subgraphParts(folder, 'notes').map(({ command }) => command);

    const project = JSON.parse(await readFile(join(folder, '.data/check/notes.json'), 'utf8')) as { include: string[] };
    expect(project.include).toEqual(['../../subgraphs/notes', '../../subgraphs/boards/actions.ts']);
    expect(commands.filter((command) => !/notes/.test(command))).toEqual(['node schema/compose.ts --check']);
  });

  test('that is not there is refused by its name', () => {
    expect(() => subgraphParts(folder, 'nots')).toThrow('There is no folder subgraphs/nots.');
    expect(() => subgraphParts(folder, '../shared')).toThrow('There is no folder subgraphs/../shared.');
  });

  test('is tested by its name, which means nothing else', async () => {
    await mkdir(join(folder, 'subgraphs/notes'), { recursive: true });

    const given = ['notes', 'schema/notes', '--maxWorkers=1', 'note'];

    expect(jestArguments(given, folder)).toEqual(['subgraphs/notes/', 'schema/notes', '--maxWorkers=1', 'note']);
  });
});
