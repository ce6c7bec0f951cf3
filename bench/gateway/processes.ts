import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

export interface Command {
  file: string;
  args: string[];
  cwd: string;
  env?: Record<string, string>;
}

export interface Running {
  port: number;
  /** CPU time of the process and its children since their start. */
  cpuSeconds(): number;
  rssMiB(): number;
  close(): Promise<void>;
}

/** Load and subgraphs share one core; the gateway has the other one. */
const OUR_CORE = 0;
const GATEWAY_CORE = 1;
const PATIENCE_MS = 60_000;
const POLL_MS = 50;
const GRACE_MS = 5_000;
const MAX_OUTPUT = 4_000;

const started = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of started) endGroup(child, 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1));

/** Moves this process, and all that it starts by default, off the gateway's core. */
export function pinOurselves(): void {
  execFileSync('taskset', ['-a', '-c', '-p', String(OUR_CORE), String(process.pid)], { stdio: 'ignore' });
}

/** Starts a gateway on its core, and waits until it responds. */
export async function startGateway({ file, args, cwd, env }: Command, port: number): Promise<Running> {
  const child = spawn('taskset', ['-c', String(GATEWAY_CORE), file, ...args], {
    cwd,
    env: { ...process.env, ...env },
    detached: true, // its own group, so that its children end with it
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.add(child);
  let output = '';
  const keep = (text: Buffer): void => void (output = (output + text.toString()).slice(-MAX_OUTPUT));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  try {
    await answering(child, port);
  } catch (error) {
    await end(child);
    throw new Error(`${(error as Error).message}\n${output}`, { cause: error });
  }
  return {
    port,
    cpuSeconds: () => treeOf(child.pid!).reduce((sum, pid) => sum + cpuSecondsOf(pid), 0),
    rssMiB: () => treeOf(child.pid!).reduce((sum, pid) => sum + rssMiBOf(pid), 0),
    close: () => end(child),
  };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function answering(child: ChildProcess, port: number): Promise<void> {
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('It ended before it answered:');
    const response = await fetch(`http://127.0.0.1:${port}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"query":"{ __typename }"}',
    }).catch(() => undefined);
    if (response?.ok) return;
    await delay(POLL_MS);
  }
  throw new Error('It did not response in time:');
}

async function end(child: ChildProcess): Promise<void> {
  started.delete(child);
  if (child.exitCode !== null || child.signalCode !== null) return endGroup(child, 'SIGKILL');
  const ended = once(child, 'exit');
  endGroup(child, 'SIGTERM');
  await Promise.race([ended, delay(GRACE_MS, undefined, { ref: false })]);
  endGroup(child, 'SIGKILL');
  await ended;
}

function endGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid) process.kill(-pid, signal);
  } catch {
    // No process of the group is left.
  }
}

function treeOf(pid: number): number[] {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const children = tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean));
  return [pid, ...children.flatMap((child) => treeOf(Number(child)))];
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The command name in brackets may contain spaces. State is the field after it; utime, stime and those of ended children are the 12th and
  // following.
  const fields = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  return fields.slice(11, 15).reduce((sum, ticks) => sum + ticks, 0) / ticksPerSecond;
}

const rssMiBOf = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
