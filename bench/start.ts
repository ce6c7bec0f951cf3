import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { toolsFolder } from '#shared/base/data-folder.ts';
import { ROOT, scriptOf } from './script.ts';

const PATIENCE_MS = 120_000;
const POLL_MS = 10;
const SETTLE_MS = 3_000;

interface Started {
  child: ChildProcess;
  seconds: number;
  /** Of the process itself, without the stores it starts: what the machine's other work does not change. */
  cpuSeconds: number;
  rssMiB: number;
}

/** Time from the start of the process to `demo.json`, and its memory then: with empty stores (demo data are loaded) and with data that are there. */
export async function run(): Promise<Record<string, unknown>> {
  const data = mkdtempSync(join(tmpdir(), 'soko-start-'));
  try {
    const first = await start(data);
    await stop(first);
    const second = await start(data);
    await delay(SETTLE_MS);
    const settled = rssOf(second.child.pid!);
    await stop(second);
    return {
      firstStartSeconds: round(first.seconds),
      startSeconds: round(second.seconds),
      startCpuSeconds: round(second.cpuSeconds),
      rssMiB: Math.round(second.rssMiB),
      rssSettledMiB: Math.round(settled),
      rssAfterLoadingMiB: Math.round(first.rssMiB),
    };
  } finally {
    rmSync(data, { recursive: true, force: true });
  }
}

async function start(data: string): Promise<Started> {
  const { options, file: script } = scriptOf('start');
  const since = performance.now();
  const env = { ...process.env, SOKO_DATA: data, SOKO_TOOLS: toolsFolder(), MONGODB_URI: '', REDIS_URL: '' };
  const child = spawn(process.execPath, [...options, script, '--port', '0'], { cwd: ROOT, env, stdio: ['ignore', 'ignore', 'inherit'] });
  const file = join(data, 'demo.json');
  while (!existsSync(file)) {
    if (child.exitCode !== null) throw new Error(`npm start ended with ${child.exitCode}`);
    if (performance.now() - since > PATIENCE_MS) throw new Error('npm start did not become ready');
    await delay(POLL_MS);
  }
  const seconds = (performance.now() - since) / 1_000;
  return { child, seconds, cpuSeconds: cpuOf(child.pid!), rssMiB: rssOf(child.pid!) };
}

async function stop({ child }: Started): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

/** Resident memory as Linux counts it. */
const rssOf = (pid: number): number => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024;

/** Time spent by the process and for it in the kernel; Linux counts in hundredths of a second, after the name in brackets. */
function cpuOf(pid: number): number {
  const [, numbers = ''] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ');
  const [user, system] = numbers.split(' ').slice(11, 13);
  return (Number(user) + Number(system)) / 100;
}

const round = (value: number): number => Math.round(value * 100) / 100;
