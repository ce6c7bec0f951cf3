import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

const jest = join(import.meta.dirname, '../../node_modules/jest/bin/jest.js');

/** What jest prints, both streams in the order of writing, for test files with these contents. */
function run(...files: string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'closing-line-'));
  const config = { testEnvironment: 'node', transform: {}, reporters: ['default', join(import.meta.dirname, 'closing-line.ts')] };
  files.forEach((content, index) => writeFileSync(join(folder, `${index}.test.js`), content));
  writeFileSync(join(folder, 'jest.config.json'), JSON.stringify(config));
  const { stdout } = spawnSync('sh', ['-c', `"${process.execPath}" "${jest}" -i 2>&1`], { cwd: folder, encoding: 'utf8' });
  rmSync(folder, { recursive: true });
  return stdout.trimEnd().split('\n');
}

test('the last line of a run says how many passed and failed', () => {
  const lines = run(`test('holds', () => {});`, `test('does not', () => { throw new Error('as expected'); });`);

  expect(lines.at(-1)).toBe('tests: 1 passed, 1 failed');
});

test('a file that cannot be run counts as failed, and a skipped test is named', () => {
  const lines = run(`test('holds', () => {}); test.skip('later', () => {});`, `throw new Error('as expected');`);

  expect(lines.at(-1)).toBe('tests: 1 passed, 1 failed, 1 skipped');
});
