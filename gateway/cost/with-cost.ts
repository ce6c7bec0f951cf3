import type { ExecutionResult } from 'graphql';
import { isIncremental, type Engine, type Operation } from '../engine/types.ts';
import type { Costs } from './costs.ts';

/** The value `report` requests the cost over HTTP. */
export const COST_HEADER = 'x-soko-cost';

/** `"extensions": { "cost": true }` requests the cost on every transport. */
export const requestsCost = (extensions: Readonly<Record<string, unknown>> | null | undefined): boolean => extensions?.['cost'] === true;

/** Adds the cost of an operation to `extensions.cost` when the client requests it. */
export function withCost(engine: Engine, costs: Costs): Engine {
  const executeWithCost = async (operation: Operation): ReturnType<Engine['execute']> => {
    const result = await engine.execute(operation);
    const estimated = costs.estimate(operation);
    // The cost of deferred parts is unknown when the first result leaves.
    if (isIncremental(result)) return { ...result, initialResult: { ...addCost(result.initialResult, { estimated }), hasNext: true } };
    return addCost(result, { estimated, actual: costs.actual(operation, result.data) });
  };
  return {
    schema: engine.schema,
    execute: (operation) => (operation.wantsCost ? executeWithCost(operation) : engine.execute(operation)),
    subscribe: (operation) => engine.subscribe(operation),
    close: () => engine.close(),
  };
}

const addCost = (result: ExecutionResult, cost: { estimated: number; actual?: number }): ExecutionResult => ({
  ...result,
  extensions: { ...result.extensions, cost },
});
