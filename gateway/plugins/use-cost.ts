import type { Costs } from '../cost/costs.ts';
import { Problem } from '#shared/base/errors.ts';
import { LIMITS, type Limits } from './use-limits.ts';

export type UseCost = (request: Parameters<Costs['estimate']>[0]) => Problem | undefined;

/** Refuses operations above the cost budget. Call it after the limits: it needs valid documents of limited depth. */
export function useCost(costs: Costs, { cost: budget }: Pick<Limits, 'cost'> = LIMITS): UseCost {
  return (request) => {
    const estimated = costs.estimate(request);
    if (estimated <= budget) return undefined;
    const message = `The operation may cost ${estimated}, more than ${budget}: ask for fewer entries of its lists, or in several parts.`;
    return new Problem('OPERATION_TOO_COMPLEX', message, { cost: { estimated, budget } });
  };
}
