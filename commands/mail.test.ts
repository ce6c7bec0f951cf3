import { expect, test } from '@jest/globals';
import { execFile } from 'node:child_process';
import { join } from 'node:path';

const run = (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  new Promise((resolve) => {
    // A preview needs no store: an address where nothing answers would fail it.
    const env = { ...process.env, MONGODB_URI: 'mongodb://127.0.0.1:1/', REDIS_URL: 'redis://127.0.0.1:1' };
    execFile(process.execPath, [join(import.meta.dirname, 'mail.ts'), 'preview', ...args], { env }, (error, stdout, stderr) =>
      resolve({ code: Number(error?.code ?? 0), stdout, stderr }),
    );
  });

test('a preview shows a template in a language with its sample', async () => {
  const html = await run('vendor-invitation', '--locale', 'ny');

  expect(html).toMatchObject({ code: 0, stderr: '' });
  expect(html.stdout).toMatch(/^<!doctype html>\n<html lang="ny">/);
  expect(html.stdout).toContain('Mwamba Crafts');
});

test.each([
  [[], 0, 'vendor-invitation: en, ny'],
  [['no-such-template'], 1, 'There is no template no-such-template. There are: verify-email,'],
  [['verify-email', '--language', 'ny'], 1, 'Usage: npm run mail'],
])('preview %j ends with %i and says what there is', async (args, code, said) => {
  const done = await run(...args);

  expect(done.code).toBe(code);
  expect(done.stdout + done.stderr).toContain(said);
});
