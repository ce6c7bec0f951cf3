import { readFileSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import type { Log } from '#shared/base/log.ts';

interface WatchOptions {
  /** Path of the supergraph file. */
  path: string;
  /** Its content at the start. */
  current: string;
  reload: (supergraphSdl: string) => Promise<void>;
  /** Reloads on every change, without a signal. */
  watches: boolean;
  log: Log;
}

/** How long a writer may take to finish. */
const SETTLE_MS = 100;

/**
 * Reloads the supergraph when its file has changed. A supergraph that cannot be served is logged, and the current one stays. SIGHUP reloads
 * too; when nothing has changed and the process has a terminal, it means that the terminal is gone.
 */
export function watchSupergraphFile({ path, current, reload, watches, log }: WatchOptions): { stop(): void } {
  let served = current;
  let settling: NodeJS.Timeout | undefined;
  const hasTerminal = process.stdin.isTTY;

  async function look({ isSignal }: { isSignal: boolean }): Promise<void> {
    try {
      const supergraphSdl = readFileSync(path, 'utf8');
      if (supergraphSdl === served) {
        if (isSignal && hasTerminal) process.kill(process.pid, 'SIGTERM');
        return log.info('the supergraph has not changed');
      }
      const before = served;
      served = supergraphSdl;
      await reload(supergraphSdl).catch((error: unknown) => {
        served = before;
        throw error;
      });
      log.info('another supergraph is served');
    } catch (error) {
      log.error({ err: error }, 'the file holds no supergraph that can be served; what is served stays');
    }
  }

  const onSignal = (): void => void look({ isSignal: true });
  const onChange = (): void => {
    clearTimeout(settling);
    settling = setTimeout(() => void look({ isSignal: false }), SETTLE_MS);
  };
  process.on('SIGHUP', onSignal);
  // Watches the folder, since a replaced file is another file.
  const watcher = watches ? watch(dirname(path), (_event, name) => name === basename(path) && onChange()) : undefined;
  watcher?.on('error', (error) => log.warn({ err: error }, 'changes of the supergraph are not seen any more; SIGHUP still reloads it'));
  return {
    stop() {
      process.off('SIGHUP', onSignal);
      clearTimeout(settling);
      watcher?.close();
    },
  };
}
