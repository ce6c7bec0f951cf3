import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { accepts } from './ping.ts';
import { endProcess, isAlive, signal, stampOf } from './processes.ts';
import type { Running } from './processes.ts';

const START_PATIENCE_MS = 60_000;
const MAX_WAIT_MS = 50;
const STOP_PATIENCE_MS = 15_000;
const NUDGE_MS = 30;
const FIRST_PAUSE_MS = 50;
const MAX_PAUSE_MS = 5_000;
/** A process that has lived this long had nothing wrong with its start. */
const SETTLED_MS = 10_000;

interface Task {
  name: string;
  port: number;
  spawn(): ChildProcess;
  isReady(): Promise<boolean>;
  /** Told of every process as soon as it exists, so that it can be found again when this one is killed. */
  onSpawn(running: Running): void;
  /** What the process said last, to explain a failed start. */
  lastWord(): string;
  log(line: string): void;
}

export interface Supervised {
  readonly pid: number;
  close(): Promise<void>;
}

/** Before the first process exists. */
const NOBODY: Running = { pid: 0, stamp: '' };

/**
 * What still runs when this process exits without having closed it. Killed outright: nobody is left to wait for an orderly
 * end, and what was acknowledged is on the disk. One listener for all, since Node warns of many.
 */
const atExit = new Set<() => void>();
process.on('exit', () => atExit.forEach((endNow) => endNow()));

interface Served {
  ended: Promise<void>;
}

/** Keeps the service up until it is closed: whenever its process dies, another is started on the same port and data. */
export async function supervise(task: Task, orphan?: Running): Promise<Supervised> {
  const stop = new AbortController();
  let running = orphan ?? NOBODY;
  const onSpawn = (spawned: Running) => {
    running = spawned;
    task.onSpawn(spawned);
  };
  const endNow = () => {
    if (running !== NOBODY) signal(running.pid, 'SIGKILL');
  };
  atExit.add(endNow);

  async function keepUp(first: Served): Promise<void> {
    const closed = once(stop.signal, 'abort');
    let pause = FIRST_PAUSE_MS;
    for (let served = first, since = Date.now(); ; since = Date.now()) {
      await Promise.race([served.ended, closed]);
      if (stop.signal.aborted) return;
      if (Date.now() - since > SETTLED_MS) pause = FIRST_PAUSE_MS;
      task.log(`${task.name}: process ${running.pid} died, starting it again`);
      await Promise.race([delay(pause, undefined, { ref: false }), closed]);
      if (stop.signal.aborted) return;
      pause = Math.min(pause * 2, MAX_PAUSE_MS);
      served = await start({ ...task, onSpawn }, stop.signal).catch((error: Error) => {
        if (!stop.signal.aborted) task.log(`${task.name}: ${error.message}`);
        return { ended: Promise.resolve() };
      });
    }
  }

  async function close(keeping: Promise<void>): Promise<void> {
    stop.abort();
    await keeping;
    // A server that waits for its next connection may only then notice that it was asked to stop.
    const nudge = setInterval(() => void accepts('127.0.0.1', task.port), NUDGE_MS);
    await endProcess(running, STOP_PATIENCE_MS).finally(() => clearInterval(nudge));
    atExit.delete(endNow);
  }

  try {
    const keeping = keepUp(orphan ? { ended: endOf(orphan, task.port) } : await start({ ...task, onSpawn }, stop.signal));
    let closing: Promise<void> | undefined;
    return {
      get pid() {
        return running.pid;
      },
      close: () => (closing ??= close(keeping)),
    };
  } catch (error) {
    atExit.delete(endNow);
    throw error;
  }
}

/** Resolves when the process serves; rejects, with the process gone, when it ends, is not ready in time or is not wanted any more. */
async function start(task: Task, stop: AbortSignal): Promise<Served> {
  const child = task.spawn();
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  }).then(() => {
    over = true;
  });
  child.unref();
  if (child.pid === undefined) throw new Error('does not start: it cannot be run');
  const running = { pid: child.pid, stamp: stampOf(child.pid) ?? '' };
  task.onSpawn(running);
  const deadline = Date.now() + START_PATIENCE_MS;
  for (let pause = 10; !over && !stop.aborted && Date.now() < deadline; pause = Math.min(pause * 1.2, MAX_WAIT_MS)) {
    if (await task.isReady()) return { ended };
    await Promise.race([ended, delay(pause)]);
  }
  await endProcess(running, STOP_PATIENCE_MS);
  const why = over ? 'it ended' : `not ready after ${START_PATIENCE_MS / 1000} s`;
  throw new Error(`does not start: ${[why, task.lastWord()].filter(Boolean).join(': ')}`);
}

/** The end of a process that is not a child of this one: seen by a connection to it that closes. */
async function endOf(orphan: Running, port: number): Promise<void> {
  while (isAlive(orphan)) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined).on('close', () => resolve());
      socket.unref();
    });
    // The connection ends a moment before the process does.
    await delay(50, undefined, { ref: false });
  }
}
