import type { Costs } from '../cost/costs.ts';
import { Problem } from '../../shared/errors.ts';
import { LIMITS } from './use-limits.ts';

export type UseCost = (asked: Parameters<Costs['estimate']>[0]) => Problem | undefined;

/** Refuses what may cost more than one operation may. Ask after the limits: it relies on documents that are valid and not too deep. */
export function useCost(costs: Costs): UseCost {
  return (asked) => {
    const estimated = costs.estimate(asked);
    if (estimated <= LIMITS.cost) return undefined;
    const message = `The operation may cost ${estimated}, more than ${LIMITS.cost}: ask for fewer entries of its lists, or in several parts.`;
    return new Problem('OPERATION_TOO_COMPLEX', message, { cost: { estimated, budget: LIMITS.cost } });
  };
}
