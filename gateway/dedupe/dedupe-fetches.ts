import type { ExecutionResult, GraphQLError } from 'graphql';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { placed } from '../engine/response-errors.ts';
import type { FetchScope } from '../engine/types.ts';
import { SharedAbort } from './shared-abort.ts';
import { copyOf, createSingleFlight, type SingleFlight } from './single-flight.ts';

type Execute = (subgraph: string, request: SubgraphRequest) => Promise<ExecutionResult>;
type ExecuteInScope = (subgraph: string, request: SubgraphRequest, scope: FetchScope | undefined) => Promise<ExecutionResult>;

/**
 * Runs equal subgraph fetches of the same scope once while they are in flight. `executeInScope` runs the fetches that have a scope; by
 * default it is `execute`.
 */
export function dedupeFetches(execute: Execute, executeInScope: Execute = execute): ExecuteInScope {
  const fetches = createSingleFlight<ExecutionResult>(copyOf);
  const entities = createSingleFlight<Entity>(copyOf);

  const executeWithoutScope: Execute = async (subgraph, request) => {
    const result = await execute(subgraph, request);
    // It may be a mutation: a client that sees its response must not get what was read before.
    fetches.forgetInFlight();
    entities.forgetInFlight();
    return result;
  };

  return (subgraph, request, scope) => {
    if (!scope) return executeWithoutScope(subgraph, request);
    const isForEntities = Array.isArray(request.variables?.['representations']);
    if (!(isForEntities ? scope.entities : scope.fetches)) return executeInScope(subgraph, request);
    const { representations: _each, ...variables } = request.variables ?? {};
    const key = JSON.stringify([subgraph, request.query, variables, scope.key]);
    if (!isForEntities) return fetches.run(key, (signal) => executeInScope(subgraph, { ...request, signal }), request.signal);
    return fetchEntities(entities, key, request, (missing, signal) =>
      executeInScope(subgraph, { ...request, signal, variables: { ...variables, representations: missing } }),
    );
  };
}

/** The response for one representation. */
interface Entity {
  /** Undefined when the response does not hold one entity per representation. */
  value: unknown;
  /** Their paths begin at the entity. */
  errors: readonly GraphQLError[];
  /** Errors of the whole fetch. */
  general: readonly GraphQLError[];
}

async function fetchEntities(
  inFlight: SingleFlight<Entity>,
  key: string,
  { variables, signal }: SubgraphRequest,
  execute: (missing: readonly unknown[], signal: AbortSignal | undefined) => Promise<ExecutionResult>,
): Promise<ExecutionResult> {
  const missing: unknown[] = [];
  const response = Promise.withResolvers<ExecutionResult>();
  const sharedAbort = signal && new SharedAbort();
  const entities = (variables!['representations'] as unknown[]).map((representation) => {
    const work = (): Promise<Entity> => {
      const index = missing.push(representation) - 1;
      return response.promise.then((result) => entityOf(result, index, missing.length));
    };
    return inFlight.run(`${key} ${JSON.stringify(representation)}`, work, signal, sharedAbort);
  });
  if (missing.length > 0) execute(missing, sharedAbort?.signal).then(response.resolve, response.reject);
  return combine(await Promise.all(entities));
}

function entityOf({ data, errors = [] }: ExecutionResult, index: number, count: number): Entity {
  const entities: unknown = data?.['_entities'];
  return {
    value: Array.isArray(entities) && entities.length === count ? (entities[index] as unknown) : undefined,
    errors: errors.filter(({ path }) => path?.[1] === index).map((error) => placed(error, error.path!.slice(2))),
    general: errors.filter(({ path }) => typeof path?.[1] !== 'number'),
  };
}

function combine(entities: readonly Entity[]): ExecutionResult {
  const own = entities.flatMap(({ errors }, index) => errors.map((error) => placed(error, ['_entities', index, ...(error.path ?? [])])));
  const errors = [...own, ...new Set(entities.flatMap(({ general }) => general))];
  const fits = entities.every(({ value }) => value !== undefined);
  return { data: { _entities: fits ? entities.map(({ value }) => value) : null }, ...(errors.length > 0 && { errors }) };
}
