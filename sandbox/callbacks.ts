import type { Faults } from './faults.ts';
import type { Callback } from './third-party.ts';

/** Sends callbacks of third parties, twice, late, forged or out of order where that was asked for. */
export function createCallbacks(faults: Faults, tell: (line: { thirdParty: string; url: string; outcome: string }) => void) {
  const held = new Map<string, Callback[]>();
  const timers = new Set<NodeJS.Timeout>();

  async function send(thirdParty: string, { url, headers, body }: Callback): Promise<void> {
    const outcome = await fetch(url, { method: 'POST', headers, body }).then(
      ({ status }) => String(status),
      (error: Error) => error.message,
    );
    tell({ thirdParty, url, outcome });
  }

  async function sendAll(thirdParty: string, callbacks: readonly Callback[]): Promise<void> {
    for (const callback of callbacks) await send(thirdParty, callback);
  }

  return {
    callback(thirdParty: string, callback: Callback): void {
      const fault = faults.take(thirdParty, ['twice', 'out-of-order', 'late', 'forged'], 'callback');
      if (fault?.kind === 'out-of-order') return void held.set(thirdParty, [...(held.get(thirdParty) ?? []), callback]);
      if (fault?.kind === 'late') {
        const timer = setTimeout(() => void send(thirdParty, callback).finally(() => timers.delete(timer)), fault.afterMs);
        return void timers.add(timer);
      }
      const sent = fault?.kind === 'forged' ? { ...callback, body: `${callback.body} ` } : callback;
      const waiting = held.get(thirdParty) ?? [];
      held.delete(thirdParty);
      void sendAll(thirdParty, [sent, ...(fault?.kind === 'twice' ? [sent] : []), ...waiting.reverse()]);
    },
    close(): void {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
