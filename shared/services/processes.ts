import { execFile, execFileSync } from 'node:child_process';
import { accessSync, constants, readFileSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const KILL_PATIENCE_MS = 5_000;

/** A process that may be found again later: the stamp tells it from another one that got the same id. */
export interface Running {
  pid: number;
  stamp: string;
}

interface Finished {
  ok: boolean;
  stdout: string;
  /** The last line the program said, or why it did not start. */
  lastWord: string;
}

/** The process under this id as it can be recognised later, or null when there is none (a zombie counts as none). */
export function stampOf(pid: number): string | null {
  return process.platform === 'linux' ? stampFromProc(pid) : stampFromPs(pid);
}

function stampFromProc(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may hold spaces and brackets, so the fields are counted from its closing bracket.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const [state, startedAt] = [fields[0], fields[19]];
    return state === 'Z' || state === 'X' || startedAt === undefined ? null : startedAt;
  } catch {
    return null;
  }
}

function stampFromPs(pid: number): string | null {
  try {
    const line = execFileSync('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], {
      encoding: 'utf8',
    }).trim();
    const [state = '', ...startedAt] = line.split(/\s+/);
    return line === '' || state.startsWith('Z') ? null : startedAt.join(' ');
  } catch {
    return null;
  }
}

export function isAlive({ pid, stamp }: Running): boolean {
  return stampOf(pid) === stamp;
}

/** Asks the process to end, and ends it when it has not done so in time. Another process that got its id is left alone. */
export async function endProcess(running: Running, patienceMs: number): Promise<void> {
  if (!isAlive(running)) return;
  signal(running.pid, 'SIGTERM');
  if (await isGoneWithin(running, patienceMs)) return;
  signal(running.pid, 'SIGKILL');
  await isGoneWithin(running, KILL_PATIENCE_MS);
}

async function isGoneWithin(running: Running, ms: number): Promise<boolean> {
  const deadline = Date.now() + ms;
  while (Date.now() < deadline) {
    await delay(20);
    if (!isAlive(running)) return true;
  }
  return false;
}

export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself in the meantime, which is what was wanted.
  }
}

/** Where the shell would find this program, without asking a shell. */
export function findOnPath(program: string, env: NodeJS.ProcessEnv): string | undefined {
  return (env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isExecutable);
}

export function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

/** Runs a program to its end. Never rejects: a failure is an answer like any other. */
export function run(file: string, args: string[], env: NodeJS.ProcessEnv, timeout = 0): Promise<Finished> {
  return new Promise((resolve) => {
    execFile(file, args, { env, timeout, killSignal: 'SIGKILL', maxBuffer: 2 ** 24 }, (error, stdout, stderr) => {
      const lastWord = lastLine(stderr) || lastLine(stdout) || error?.message.split('\n')[0] || '';
      resolve({ ok: error === null, stdout, lastWord });
    });
  });
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}
