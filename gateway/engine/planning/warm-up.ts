import { setImmediate as breathe } from 'node:timers/promises';
import type { SokoEngine } from '../../supergraph/open-engine.ts';

/** Operations planned before the switch. Older ones are planned on their next request. */
const MAX_WARM_UP_PLANS = 500;

/**
 * Prepares an engine for the operations of its predecessor, the most recent first. A plan is reused if the new supergraph does not change
 * it, and made again otherwise. Requests are served in between.
 */
export async function warmUp(from: SokoEngine, to: SokoEngine): Promise<{ reused: number; planned: number }> {
  let reused = 0;
  let planned = 0;
  for (const known of from.planCache.recent()) {
    try {
      if ((await from.planner.fingerprint(known.source)) === (await to.planner.fingerprint(known.source))) {
        to.planCache.insert(known);
        reused += 1;
      } else if (planned < MAX_WARM_UP_PLANS) {
        await to.planCache.of(known);
        planned += 1;
      }
    } catch {
      // The new supergraph does not allow the operation, and its next request gets the reason; or planning failed for now and is retried
      // then.
    }
    await breathe();
  }
  return { reused, planned };
}
