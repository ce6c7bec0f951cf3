import type { ExecutionResult, GraphQLError } from 'graphql';
import { invalidAnswer, placed } from '../engine/response-errors.ts';
import { isData, type Data } from '../engine/run.ts';

/** The entities of an answer, in the order they were asked for; undefined when that is not what was answered. */
export function entitiesOf({ data }: ExecutionResult, count: number): (Data | null)[] | undefined {
  const entities: unknown = data?.['_entities'];
  const fits = Array.isArray(entities) && entities.length === count && entities.every((each) => each === null || isData(each));
  return fits ? (entities as (Data | null)[]) : undefined;
}

interface Rest {
  subgraph: string;
  /** Undefined when the subgraph did not answer what it was asked. */
  entities: readonly (Data | null)[] | undefined;
  errors: ExecutionResult['errors'];
}

/** An error about all that was missing is told for the first ones. */
const MAX_PLACES = 20;

/** The answer to the whole fetch. What is kept stands whatever became of the rest, of which nothing is known then. */
export function fillIn(
  kept: readonly (Data | undefined)[],
  missing: readonly number[],
  { subgraph, entities, errors }: Rest,
): ExecutionResult {
  const answered: unknown[] = [...kept];
  missing.forEach((index, position) => (answered[index] = entities ? entities[position] : {}));
  const told = errors ?? (entities ? [] : [invalidAnswer(subgraph, ['_entities'])]);
  const moved = told.flatMap((error) => movedError(error, missing));
  return { data: { _entities: answered }, ...(moved.length > 0 && { errors: moved }) };
}

function movedError(error: GraphQLError, missing: readonly number[]): GraphQLError[] {
  const [, position, ...rest] = error.path ?? [];
  if (typeof position === 'number')
    return missing[position] === undefined ? [] : [placed(error, ['_entities', missing[position], ...rest])];
  return missing.slice(0, MAX_PLACES).map((index) => placed(error, ['_entities', index]));
}
