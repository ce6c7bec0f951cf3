import { setImmediate as breathe } from 'node:timers/promises';
import type { SokoEngine } from '../../supergraph/open-engine.ts';

/** Texts that are planned anew before the change; those asked longer ago are planned when they are asked again. */
const MOST_PLANNED = 500;

/**
 * Makes an engine ready for what was asked of the one that it takes the place of, the latest first. A plan that the other supergraph does not
 * change is kept; the others are made anew. Requests are served in between.
 */
export async function handOver(from: SokoEngine, to: SokoEngine): Promise<{ kept: number; planned: number }> {
  let kept = 0;
  let planned = 0;
  for (const known of from.preparations.recent()) {
    try {
      if ((await from.planner.fingerprint(known.source)) === (await to.planner.fingerprint(known.source))) {
        to.preparations.adopt(known);
        kept += 1;
      } else if (planned < MOST_PLANNED) {
        await to.preparations.of(known);
        planned += 1;
      }
    } catch {
      // The other supergraph does not allow it, and whoever asks is told why; or nobody could plan it now, and somebody may later.
    }
    await breathe();
  }
  return { kept, planned };
}
