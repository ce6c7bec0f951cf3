import { setTimeout as delay } from 'node:timers/promises';

/** Waits until it is true; fails after `longestMs`. */
export async function until(isTrue: () => boolean | Promise<boolean>, longestMs = 20_000): Promise<void> {
  const end = performance.now() + longestMs;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`It did not come true in ${longestMs} ms: ${String(isTrue)}`);
    await delay(20);
  }
}
