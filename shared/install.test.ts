import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from '@jest/globals';

const root = mkdtempSync(join(tmpdir(), 'install-'));
const script = join(import.meta.dirname, 'install.mjs');
const BEGIN = 'installing what package-lock.json names (about a minute the first time)';
const END = expect.stringMatching(/^installed in \d+ s$/);
let project: string;
let projects = 0;

function write(path: string, content: unknown) {
  mkdirSync(join(project, path, '..'), { recursive: true });
  writeFileSync(join(project, path), JSON.stringify(content));
}

/** Runs the script on the project as `npm start` does, with npm itself. */
function install(): Promise<{ code: number | null; lines: string[] }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, project], { env: { ...process.env, npm_config_offline: 'true' } });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
    child.on('close', (code) => resolve({ code, lines: output.trim().split('\n') }));
  });
}

/** Needs no network: the one dependency lies beside. */
beforeEach(() => {
  projects += 1;
  project = join(root, String(projects));
  write('note/package.json', { name: 'note', version: '1.0.0' });
  write('package.json', { name: 'board', version: '1.0.0', dependencies: { note: 'file:note' } });
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

test('installs what is missing with a line at the beginning and one at the end, then says nothing', async () => {
  expect(await install()).toEqual({ code: 0, lines: [BEGIN, END] });
  expect(existsSync(join(project, 'node_modules/note/package.json'))).toBe(true);
  expect(await install()).toEqual({ code: 0, lines: [''] });
});

test('installs again after a package was deleted, and after an installation that was cut off', async () => {
  await install();
  rmSync(join(project, 'node_modules/note'));
  expect(await install()).toEqual({ code: 0, lines: [BEGIN, END] });

  writeFileSync(join(project, 'node_modules/.unfinished-install'), '');
  expect(await install()).toEqual({ code: 0, lines: [BEGIN, END] });
  expect(await install()).toEqual({ code: 0, lines: [''] });
});

test('shows what npm said only when it failed, and does not take that for an installation', async () => {
  write('package.json', { name: 'board', version: '1.0.0', dependencies: { missing: 'file:missing.tgz' } });

  const { code, lines } = await install();

  expect(code).toBe(1);
  expect(lines.join('\n')).toMatch(/missing\.tgz[\s\S]*npm install failed/);
  expect((await install()).code).toBe(1);
});

test('installs once when two start at the same time', async () => {
  const outcomes = await Promise.all([install(), install()]);

  expect(outcomes.map(({ code }) => code)).toEqual([0, 0]);
  const lines = outcomes.flatMap((outcome) => outcome.lines).sort();
  expect(lines).toEqual([END, BEGIN, 'waiting for another start that is installing the packages']);
});
