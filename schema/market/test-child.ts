import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Data } from './test-door.ts';

const PROGRAM = fileURLToPath(new URL('./test-process.ts', import.meta.url));
const PATIENCE_MS = 60_000;

/** The process ended while it was asked something: what became of it is not known. */
export class Died extends Error {}

/** A market process that has loaded everything and waits to be opened. */
export interface Child {
  /** Runs one of the process's commands; rejects with `Died` when it ends before it answers. */
  call(name: string, ...args: unknown[]): Promise<Data>;
  /** Resolves when the process is gone; rejects when it lives on. */
  died(): Promise<void>;
  kill(): Promise<void>;
}

export interface Nursery {
  /** The next process, as soon as it has loaded. */
  take(): Promise<Child>;
  close(): Promise<void>;
}

/** Keeps the next process ready while the present one is at work: most of a start is loading code. */
export function openNursery(environment: Record<string, string>): Nursery {
  const cache = mkdtempSync(join(tmpdir(), 'market-'));
  const all = new Set<ChildProcess>();
  const grow = (): Promise<Child> => {
    const child = fork(PROGRAM, { execArgv: [], env: { ...process.env, NODE_COMPILE_CACHE: cache, LOG_LEVEL: 'silent', ...environment } });
    all.add(child);
    child.once('exit', () => all.delete(child));
    return ready(child);
  };
  let next = grow();
  next.catch(() => undefined);
  return {
    take() {
      const taken = next;
      next = grow();
      next.catch(() => undefined);
      return taken;
    },
    async close() {
      await Promise.all([...all].map(end));
      rmSync(cache, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function ready(child: ChildProcess): Promise<Child> {
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  let last = 0;
  const gone = once(child, 'exit').then(([code, signal]) => {
    for (const { reject } of waiting.values()) reject(new Died(`the process ended: ${String(signal ?? code)}`));
    waiting.clear();
    return signal as string | null;
  });
  child.on('message', ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
    const asked = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) asked?.resolve(result);
    else asked?.reject(new Error(error));
  });
  await new Promise((resolve, reject) => waiting.set(0, { resolve, reject }));
  return {
    call: (name, ...args) =>
      new Promise((resolve, reject) => {
        if (!child.connected) return reject(new Died('the process has ended'));
        const id = (last += 1);
        waiting.set(id, { resolve, reject });
        child.send({ id, name, args }, (error) => error && reject(new Died(error.message)));
      }),
    async died() {
      const signal = await within(PATIENCE_MS, gone);
      if (signal !== 'SIGKILL') throw new Error(`the process was not killed, but ended: ${String(signal)}`);
    },
    kill: () => end(child),
  };
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`the process lives on after ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
