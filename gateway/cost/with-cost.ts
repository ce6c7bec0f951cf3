import type { ExecutionResult } from 'graphql';
import { isIncremental, type Engine, type Operation } from '../engine/types.ts';
import type { Costs } from './costs.ts';

/** `report` in it asks for the cost over HTTP. */
export const COST_HEADER = 'x-soko-cost';

/** `"extensions": { "cost": true }` in a request asks for the cost, on every way in. */
export const requestsCost = (extensions: Readonly<Record<string, unknown>> | null | undefined): boolean => extensions?.['cost'] === true;

/** The engine, which tells the cost of an operation in `extensions.cost` when it is asked to. */
export function withCost(engine: Engine, costs: Costs): Engine {
  const executeWithCost = async (operation: Operation): ReturnType<Engine['execute']> => {
    const result = await engine.execute(operation);
    const estimated = costs.estimate(operation);
    // What deferred parts cost is not known when the first one leaves.
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
