import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { endProcess, isAlive, signal, stampOf } from "./processes.ts";
import type { Running } from "./processes.ts";

const START_PATIENCE_MS = 60_000;
const STOP_PATIENCE_MS = 15_000;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 5_000;
/** A process that has lived this long had nothing wrong with its start. */
const SETTLED_MS = 10_000;

export interface Task {
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

interface Served {
  running: Running;
  ended: Promise<void>;
}

/** Keeps the service up until it is closed: whenever its process dies, another is started on the same port and data. */
export async function supervise(task: Task, orphan?: Running): Promise<Supervised> {
  let served = orphan ? { running: orphan, ended: endOf(orphan, task.port) } : await start(task);
  let closing: Promise<void> | undefined;
  const onExit = () => signal(served.running.pid, "SIGTERM");
  process.on("exit", onExit);

  async function keepUp(): Promise<void> {
    for (let pause = FIRST_PAUSE_MS, since = Date.now(); ; since = Date.now()) {
      await served.ended;
      if (closing) return;
      if (Date.now() - since > SETTLED_MS) pause = FIRST_PAUSE_MS;
      task.log(`${task.name}: process ${served.running.pid} died, starting it again`);
      await delay(pause, undefined, { ref: false });
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
      if (closing) return;
      served = await start(task).catch((error: Error) => {
        task.log(`${task.name}: ${error.message}`);
        return { running: served.running, ended: Promise.resolve() };
      });
      if (closing) await endProcess(served.running, STOP_PATIENCE_MS);
    }
  }

  const keeping = keepUp();
  async function close(): Promise<void> {
    await endProcess(served.running, STOP_PATIENCE_MS);
    await keeping;
    process.off("exit", onExit);
  }
  return {
    get pid() {
      return served.running.pid;
    },
    close: () => (closing ??= close()),
  };
}

/** Resolves when the process serves; rejects, with the process gone, when it ends or is not ready in time. */
async function start(task: Task): Promise<Served> {
  const child = task.spawn();
  let over = false;
  const ended = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  }).then(() => {
    over = true;
  });
  child.unref();
  const running = { pid: child.pid ?? 0, stamp: stampOf(child.pid ?? 0) ?? "" };
  if (child.pid !== undefined) task.onSpawn(running);
  const deadline = Date.now() + START_PATIENCE_MS;
  for (let pause = 10; !over && Date.now() < deadline; pause = Math.min(pause * 1.2, 200)) {
    if (await task.isReady()) return { running, ended };
    await Promise.race([ended, delay(pause)]);
  }
  await endProcess(running, STOP_PATIENCE_MS);
  throw new Error(
    `does not start: ${task.lastWord() || `not ready after ${START_PATIENCE_MS / 1000} s`}`,
  );
}

/** The end of a process that is not a child of this one: seen by a connection to it that closes. */
async function endOf(orphan: Running, port: number): Promise<void> {
  while (isAlive(orphan)) {
    await new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined).on("close", () => resolve());
      socket.unref();
    });
    // The connection ends a moment before the process does.
    await delay(50, undefined, { ref: false });
  }
}
