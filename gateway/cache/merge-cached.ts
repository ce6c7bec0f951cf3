import type { ExecutionResult, GraphQLError } from 'graphql';
import { invalidResponse, placed } from '../engine/response-errors.ts';
import { isData, type Data } from '../engine/run.ts';

/** The entities of a response in the order of the request; undefined when they do not match it. */
export function entitiesOf({ data }: ExecutionResult, count: number): (Data | null)[] | undefined {
  const entities: unknown = data?.['_entities'];
  const fits = Array.isArray(entities) && entities.length === count && entities.every((each) => each === null || isData(each));
  return fits ? (entities as (Data | null)[]) : undefined;
}

interface Rest {
  subgraph: string;
  /** Undefined when the response does not match the request. */
  entities: readonly (Data | null)[] | undefined;
  errors: ExecutionResult['errors'];
}

/** An error about all missing entities is reported for the first ones. */
const MAX_PLACES = 20;

/** The response to the whole fetch. Cached entities stay valid even if the rest failed; the rest is unknown then. */
export function mergeCached(
  cached: readonly (Data | undefined)[],
  missing: readonly number[],
  { subgraph, entities, errors }: Rest,
): ExecutionResult {
  const entitiesOfAll: unknown[] = [...cached];
  missing.forEach((index, position) => (entitiesOfAll[index] = entities ? entities[position] : {}));
  const reported = errors ?? (entities ? [] : [invalidResponse(subgraph, ['_entities'])]);
  const moved = reported.flatMap((error) => movedError(error, missing));
  return { data: { _entities: entitiesOfAll }, ...(moved.length > 0 && { errors: moved }) };
}

function movedError(error: GraphQLError, missing: readonly number[]): GraphQLError[] {
  const [, position, ...rest] = error.path ?? [];
  if (typeof position === 'number')
    return missing[position] === undefined ? [] : [placed(error, ['_entities', missing[position], ...rest])];
  return missing.slice(0, MAX_PLACES).map((index) => placed(error, ['_entities', index]));
}
