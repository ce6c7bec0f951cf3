import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { withHolder, isDead, isReleased, newHolderId } from './lease-holder.ts';

const isLinux = process.platform === 'linux';
const withPid = (pid: number): string => newHolderId().replace(`/${process.pid}/`, `/${pid}/`);

test('a holder of this process lives, and is not another one', () => {
  expect(isDead(newHolderId())).toBe(false);
  expect(newHolderId()).not.toBe(newHolderId());
});

test('a holder whose process has ended is seen to be gone, also when another process got its id', async () => {
  const ended = spawnSync(process.execPath, ['-e', '']).pid;
  const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
  await once(other, 'spawn');

  // Only where processes can be looked at is it said; elsewhere leases run out in their time.
  expect(isDead(withPid(ended))).toBe(isLinux);
  expect(isDead(withPid(other.pid!))).toBe(isLinux);
  other.kill('SIGKILL');
});

test('a process that was killed counts as gone before its parent has taken notice', async () => {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)']);
  await once(child, 'spawn');
  const { stampOf } = await import('../services/processes.ts');
  const holder = newHolderId().replace(/\/\d+\/[^/]*\//, `/${child.pid}/${stampOf(child.pid!)}/`);
  expect(isDead(holder)).toBe(false);

  child.kill('SIGKILL');
  await once(child, 'exit');

  expect(isDead(holder)).toBe(isLinux);
});

test('who works under a name has left it when the work has ended, also when it failed', async () => {
  const names: string[] = [];
  const work = async (owner: string): Promise<void> => {
    names.push(owner);
    expect(isReleased(owner)).toBe(false);
    if (names.length === 2) throw new Error('in vain');
  };

  await withHolder(work);
  await expect(withHolder(work)).rejects.toThrow('in vain');

  expect(names.map(isReleased)).toEqual([true, true]);
});

test.each([
  ['another machine', newHolderId().replace(/^[^/]*/, 'elsewhere')],
  ['no machine', '/1/2/3'],
  ['an older kind', '1234-5678'],
  ['nobody', ''],
])('nothing is said of a holder of %s', (_case, owner) => {
  expect(isDead(owner)).toBe(false);
});
