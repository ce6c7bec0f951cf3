import type { Costs } from '../cost/costs.ts';
import { Problem } from '#shared/base/errors.ts';
import { LIMITS, type Limits } from './use-limits.ts';

export type UseCost = (request: Parameters<Costs['estimate']>[0]) => Problem | undefined;

/** Refuses what may cost more than one operation may. Ask after the limits: it relies on documents that are valid and not too deep. */
export function useCost(costs: Costs, { cost: budget }: Pick<Limits, 'cost'> = LIMITS): UseCost {
  return (request) => {
    const estimated = costs.estimate(request);
    if (estimated <= budget) return undefined;
    const message = `The operation may cost ${estimated}, more than ${budget}: ask for fewer entries of its lists, or in several parts.`;
    return new Problem('OPERATION_TOO_COMPLEX', message, { cost: { estimated, budget } });
  };
}
