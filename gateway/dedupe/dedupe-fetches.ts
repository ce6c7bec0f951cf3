import type { ExecutionResult, GraphQLError } from 'graphql';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { placed } from '../engine/response-errors.ts';
import type { FetchScope } from '../engine/types.ts';
import { Audience } from './shared-abort.ts';
import { copyOf, createFlights, type Flights } from './single-flight.ts';

type Ask = (subgraph: string, request: SubgraphRequest) => Promise<ExecutionResult>;
type AskWithin = (subgraph: string, request: SubgraphRequest, scope: FetchScope | undefined) => Promise<ExecutionResult>;

/**
 * Asks a subgraph once for all who want the same of it, within the same scope, at the same time. `askWithin` is how they are asked who have a
 * scope; by default like all others.
 */
export function shareFetches(ask: Ask, askWithin: Ask = ask): AskWithin {
  const fetches = createFlights<ExecutionResult>(copyOf);
  const entities = createFlights<Entity>(copyOf);

  const unshared: Ask = async (subgraph, request) => {
    const result = await ask(subgraph, request);
    // Perhaps a mutation: whoever sees its answer must not get what was read before.
    fetches.seal();
    entities.seal();
    return result;
  };

  return (subgraph, request, scope) => {
    if (!scope) return unshared(subgraph, request);
    const isForEntities = Array.isArray(request.variables?.['representations']);
    if (!(isForEntities ? scope.entities : scope.fetches)) return askWithin(subgraph, request);
    const { representations: _each, ...variables } = request.variables ?? {};
    const key = JSON.stringify([subgraph, request.query, variables, scope.key]);
    if (!isForEntities) return fetches.join(key, (signal) => askWithin(subgraph, { ...request, signal }), request.signal);
    return askEntities(entities, key, request, (missing, signal) =>
      askWithin(subgraph, { ...request, signal, variables: { ...variables, representations: missing } }),
    );
  };
}

/** What was answered for one representation. */
interface Entity {
  /** Undefined when the answer as a whole did not fit. */
  value: unknown;
  /** Their paths begin at the entity. */
  errors: readonly GraphQLError[];
  /** Errors of the whole fetch it came with. */
  general: readonly GraphQLError[];
}

async function askEntities(
  flights: Flights<Entity>,
  key: string,
  { variables, signal }: SubgraphRequest,
  ask: (missing: readonly unknown[], signal: AbortSignal | undefined) => Promise<ExecutionResult>,
): Promise<ExecutionResult> {
  const missing: unknown[] = [];
  const answered = Promise.withResolvers<ExecutionResult>();
  const audience = signal && new Audience();
  const entities = (variables!['representations'] as unknown[]).map((representation) => {
    const work = (): Promise<Entity> => {
      const index = missing.push(representation) - 1;
      return answered.promise.then((result) => entityOf(result, index, missing.length));
    };
    return flights.join(`${key} ${JSON.stringify(representation)}`, work, signal, audience);
  });
  if (missing.length > 0) ask(missing, audience?.signal).then(answered.resolve, answered.reject);
  return together(await Promise.all(entities));
}

function entityOf({ data, errors = [] }: ExecutionResult, index: number, count: number): Entity {
  const entities: unknown = data?.['_entities'];
  return {
    value: Array.isArray(entities) && entities.length === count ? (entities[index] as unknown) : undefined,
    errors: errors.filter(({ path }) => path?.[1] === index).map((error) => placed(error, error.path!.slice(2))),
    general: errors.filter(({ path }) => typeof path?.[1] !== 'number'),
  };
}

function together(entities: readonly Entity[]): ExecutionResult {
  const own = entities.flatMap(({ errors }, index) => errors.map((error) => placed(error, ['_entities', index, ...(error.path ?? [])])));
  const errors = [...own, ...new Set(entities.flatMap(({ general }) => general))];
  const fits = entities.every(({ value }) => value !== undefined);
  return { data: { _entities: fits ? entities.map(({ value }) => value) : null }, ...(errors.length > 0 && { errors }) };
}
