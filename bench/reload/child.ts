import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { ROOT, scriptOf } from '../script.ts';
import type { Order, Told } from './server.ts';

export interface Server {
  url: string;
  wsUrl: string;
  say(text: string): void;
  /** Milliseconds until the other supergraph was served. */
  reload(): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** The gateway as a process of its own, under the options of `npm run gateway`. */
export async function startServer(planning: 'worker' | 'here'): Promise<Server> {
  const child = fork(join(import.meta.dirname, 'server.ts'), [planning], {
    execArgv: scriptOf('gateway').options,
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const order = (what: Order): void => void child.send(what);
  const { url, wsUrl } = (await toldBy(child)) as Extract<Told, { url: string }>;
  return {
    url,
    wsUrl,
    say: (text) => order({ say: text }),
    async reload() {
      const told = toldBy(child);
      order({ reload: true });
      return ((await told) as Extract<Told, { reloadedMs: number }>).reloadedMs;
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}

async function toldBy(child: ChildProcess): Promise<Told> {
  const ended = once(child, 'exit').then(() => {
    throw new Error('the gateway ended');
  });
  const [told] = (await Promise.race([once(child, 'message'), ended])) as [Told];
  return told;
}
