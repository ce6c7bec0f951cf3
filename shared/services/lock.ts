import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, stampOf } from './processes.ts';
import type { Running } from './processes.ts';

export interface Lock {
  release(): void;
}

/** Takes the lock, or gives the id of the living process that holds it. The lock of a dead process is taken over. */
export function tryLock(file: string): Lock | { holder: number } {
  mkdirSync(dirname(file), { recursive: true });
  const mine = JSON.stringify({ pid: process.pid, stamp: stampOf(process.pid) ?? '' });
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    for (;;) {
      if (linked(draft, file)) return { release: () => releaseIf(file, mine) };
      const theirs = readOr(file, '');
      const holder = parse(theirs);
      if (holder && isAlive(holder)) return { holder: holder.pid };
      takeAway(file, theirs);
    }
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Waits until the lock is free; for work of seconds that two starts must not do at the same time. */
export async function waitForLock(file: string, onWait: (holder: number) => void): Promise<Lock> {
  for (let waited = false; ; waited = true) {
    const lock = tryLock(file);
    if ('release' in lock) return lock;
    if (!waited) onWait(lock.holder);
    await delay(100);
  }
}

/** A hard link appears with its content in one step, so nobody ever reads a lock that is half written. */
function linked(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Moves a dead process's lock aside; puts it back when somebody living was quicker and it is theirs by now. */
function takeAway(file: string, expected: string): void {
  const aside = `${file}.${process.pid}.stale`;
  try {
    renameSync(file, aside);
  } catch {
    return;
  }
  if (readOr(aside, '') !== expected) linked(aside, file);
  rmSync(aside, { force: true });
}

function releaseIf(file: string, mine: string): void {
  if (readOr(file, '') === mine) rmSync(file, { force: true });
}

function parse(text: string): Running | undefined {
  try {
    return JSON.parse(text) as Running;
  } catch {
    return undefined;
  }
}

function readOr(file: string, fallback: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return fallback;
  }
}
