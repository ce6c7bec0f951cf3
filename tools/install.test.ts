import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
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
function install(env: Record<string, string> = { npm_config_offline: 'true' }): Promise<{ code: number | null; lines: string[] }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [script, project], { env: { ...process.env, ...env } });
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

test('stops with one line that says why when the registry cannot be reached', async () => {
  write('package.json', { name: 'board', version: '1.0.0', dependencies: { missing: '1.0.0' } });
  const deaf = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(deaf, 'listening');
  const registry = `http://127.0.0.1:${(deaf.address() as AddressInfo).port}`;

  const { code, lines } = await install({ npm_config_registry: `${registry}/`, SOKO_INSTALL_SILENCE_MS: '200' });
  deaf.closeAllConnections();
  deaf.close();

  expect(code).toBe(1);
  expect(lines.filter((line) => !line.startsWith('installing: '))).toEqual([
    BEGIN,
    expect.stringMatching(/^npm install was stopped: .+ cannot be reached \(.+\)\. Check the network/),
  ]);
}, 60_000);

test('says in one line that node_modules is missing and cannot be made', async () => {
  writeFileSync(join(project, 'node_modules'), 'not a folder');

  const { code, lines } = await install();

  expect(code).toBe(1);
  expect(lines).toEqual([
    expect.stringMatching(/^Packages are missing, and .+node_modules cannot be written \(\w+\)\. Run npm install once/),
  ]);
});
