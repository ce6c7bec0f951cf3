import { setImmediate as breathe } from 'node:timers/promises';
import type { SokoEngine } from './open.ts';

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
    if (from.fingerprintOf(known.document) === to.fingerprintOf(known.document)) {
      to.preparations.adopt(known);
      kept += 1;
    } else if (planned < MOST_PLANNED && (await isPlanned(to, known))) {
      planned += 1;
    }
    await breathe();
  }
  return { kept, planned };
}

/** False for an operation that the other supergraph does not allow: whoever asks it is told why. */
async function isPlanned({ preparations }: SokoEngine, known: Parameters<SokoEngine['preparations']['of']>[0]): Promise<boolean> {
  try {
    await preparations.of(known);
    return true;
  } catch {
    return false;
  }
}
