import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import { freePort } from './ports.ts';
import type { Running } from './together.ts';

const ROOT = join(import.meta.dirname, '..');

/** Which subgraphs share a process; what the manifest names beyond these has one of its own. */
const GROUPS = [['config', 'scheduler', 'accounts', 'vendors'], ['categories', 'catalog', 'inventory'], ['orders']];

const READY_MS = 60_000;
const POLL_MS = 50;
const RESTART_MS = 500;
const STOP_MS = 15_000;

interface Member {
  name: string;
  port: number;
  child: ChildProcess;
}

/** The same marketplace as several processes on loopback: the gateway, and groups of subgraphs. A process that dies is started again. */
export async function runSplit(port: number): Promise<Running> {
  const names = readRoverConfig(ROOT).map(({ name }) => name);
  const grouped = new Set(GROUPS.flat());
  const groups = [
    ...GROUPS.map((group) => group.filter((name) => names.includes(name))),
    ...names.filter((name) => !grouped.has(name)).map((name) => [name]),
  ];
  const ports = new Map<string, number>();
  for (const name of names) ports.set(name, await freePort());
  const urls = Object.fromEntries([...ports].map(([name, at]) => [name, `http://127.0.0.1:${at}`]));
  const environment = { ...process.env, SUBGRAPH_URLS: JSON.stringify(urls) };
  const members: Member[] = [];
  let closing = false;

  function start(name: string, at: number, file: string, args: string[], more: Record<string, string> = {}): void {
    const launch = (): ChildProcess => {
      const child = spawn(process.execPath, [join(ROOT, file), ...args], {
        env: { ...environment, ...more },
        // A channel to this process, so that they end with it however it ends; a group of their own, so that Ctrl-C reaches them once.
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        detached: true,
      });
      child.once('exit', () => {
        if (closing) return;
        setTimeout(() => {
          if (!closing) member.child = launch();
        }, RESTART_MS);
      });
      return child;
    };
    const member: Member = { name, port: at, child: undefined as unknown as ChildProcess };
    member.child = launch();
    members.push(member);
  }

  // They begin to listen in their order: a process is named by the port that comes last.
  for (const group of groups) start(group.join('+'), ports.get(group.at(-1)!)!, 'shared/process/serve-group.ts', group);
  start('gateway', port, 'gateway/main.ts', [], { PORT: String(port) });
  await Promise.all([...ports.values(), port].map((at) => untilReady(`http://127.0.0.1:${at}/ready`)));

  return {
    http: `http://127.0.0.1:${port}/graphql`,
    ws: `ws://127.0.0.1:${port}/graphql`,
    get processes() {
      return members.map(({ name, port: at, child }) => ({ name, pid: child.pid!, port: at }));
    },
    async close() {
      closing = true;
      await Promise.all(members.map(({ child }) => stop(child)));
    },
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  await ended;
  clearTimeout(force);
}

async function untilReady(url: string): Promise<void> {
  const until = Date.now() + READY_MS;
  for (;;) {
    const isReady = await fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) return;
    if (Date.now() > until) throw new Error(`${url} did not become ready within ${READY_MS} ms`);
    await delay(POLL_MS);
  }
}
