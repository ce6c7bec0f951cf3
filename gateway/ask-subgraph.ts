import { GraphQLError, Kind, parse, type ExecutionResult, type FieldNode, type OperationDefinitionNode, type SelectionNode } from 'graphql';
import { isProblem, Problem, problemOf } from '../shared/errors.ts';
import type { Log } from '../shared/log.ts';
import type { SubgraphRequest, SubgraphTransport } from '../shared/transport.ts';
import { subgraphUnavailable } from '../shared/wire.ts';

/** Errors that tell of one failed fetch; a long list of entities does not become a long list of errors. */
const MAX_ERRORS = 20;
const CODE = /^[A-Z][A-Z0-9_]*$/;
/** Codes that speak of a request the gateway itself wrote, or of a bug: nothing the client could act on. */
const OURS = new Set([
  'INTERNAL_SERVER_ERROR',
  'BAD_REQUEST',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
]);
/** What servers add for their own developers. */
const PRIVATE_EXTENSIONS = ['stacktrace', 'exception', 'serviceName', 'http'];

/** Asks one subgraph. Never rejects; every error is a Problem with the field it is about, or left to be masked. */
export async function askSubgraph(
  name: string,
  transport: SubgraphTransport | undefined,
  request: SubgraphRequest,
  log: Log,
): Promise<ExecutionResult> {
  if (request.signal?.aborted) return missing(request, subgraphUnavailable(name));
  try {
    return withProblems(await within(request, orMissing(transport).execute(request)), request);
  } catch (error) {
    return unreached(name, request, error, log);
  }
}

/** Opens a stream on one subgraph, or answers why there is none. */
export async function openStream(
  name: string,
  transport: SubgraphTransport | undefined,
  request: SubgraphRequest,
  log: Log,
): Promise<Events | ExecutionResult> {
  const opening = (async () => orMissing(transport).subscribe(request))();
  try {
    const answer = await within(request, opening);
    return Symbol.asyncIterator in answer ? answer : withProblems(answer, request);
  } catch (error) {
    // A stream that opens after its time would stay open for nobody.
    opening.then((late) => (Symbol.asyncIterator in late ? late.return?.() : undefined)).catch(() => undefined);
    return unreached(name, request, error, log);
  }
}

type Events = AsyncIterableIterator<ExecutionResult>;

/** An answer in which each field of the request is missing. */
function unreached(name: string, request: SubgraphRequest, error: unknown, log: Log): ExecutionResult {
  const problem = isProblem(error) ? error : subgraphUnavailable(name, error);
  if (!request.signal?.aborted)
    log.warn({ ...reasonOf(error), subgraph: name, correlationId: request.correlationId }, 'a subgraph did not answer');
  return missing(request, problem);
}

/** Of what is known to happen one line is enough; where in the code it was seen is for bugs. */
function reasonOf(error: unknown): object {
  if (!isProblem(error)) return { err: error };
  const { message, code } = (error.cause ?? error) as { message?: string; code?: string };
  return { code: error.code, reason: message || code };
}

const missing = (request: SubgraphRequest, problem: Problem): ExecutionResult => ({
  data: null,
  errors: pathsOf(request).map((path) => at(path, problem)),
});

function orMissing(transport: SubgraphTransport | undefined): SubgraphTransport {
  if (!transport) throw new Error('this gateway was given no way to reach the subgraph');
  return transport;
}

/**
 * The answer with its errors as Problems: a code says that the subgraph meant it for the caller, anything else is left to be masked. An
 * error that names no place is about the first one.
 */
export function withProblems(result: ExecutionResult, request: Pick<SubgraphRequest, 'query' | 'variables'>): ExecutionResult {
  const { errors } = result;
  if (!errors) return result;
  return { ...result, errors: errors.map((error) => asProblem(error, isPath(error.path) ? error.path : pathsOf(request)[0])) };
}

/** Foreign subgraphs may say anything here. */
const isPath = (path: unknown): path is NonNullable<GraphQLError['path']> =>
  Array.isArray(path) && path.every((step) => typeof step === 'string' || Number.isSafeInteger(step));

function asProblem(error: GraphQLError, path: GraphQLError['path']): GraphQLError {
  const problem = problemOf(error);
  if (problem) return at(path, problem);
  const { message } = error;
  const { code, ...extensions } = error.extensions ?? {};
  // Gateway and subgraph check scalars alike, but a foreign subgraph may know more of them than the gateway.
  if (code === 'GRAPHQL_VALIDATION_FAILED' && message.startsWith('Expected value of type ')) {
    return at(path, new Problem('BAD_USER_INPUT', message));
  }
  if (typeof code !== 'string' || !CODE.test(code) || OURS.has(code)) return new GraphQLError(message, { path });
  for (const key of PRIVATE_EXTENSIONS) delete extensions[key];
  return at(path, new Problem(code, message, extensions));
}

const at = (path: readonly (string | number)[] | undefined, problem: Problem): GraphQLError =>
  new GraphQLError(problem.message, { path, originalError: problem, extensions: problem.extensions });

/** Every field the fetch was to fill in, as the subgraph itself would name it. */
function pathsOf({ query, variables }: Pick<SubgraphRequest, 'query' | 'variables'>): (string | number)[][] {
  const operation = parse(query, { noLocation: true }).definitions.find(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION,
  ) as OperationDefinitionNode;
  const roots = fieldsOf(operation.selectionSet.selections);
  const representations = variables?.['representations'];
  if (roots[0]?.name.value !== '_entities' || !Array.isArray(representations))
    return roots.slice(0, MAX_ERRORS).map((field) => [responseName(field)]);
  const names = new Set(fieldsOf(roots[0].selectionSet?.selections ?? []).map(responseName));
  const paths = representations.flatMap((_entity, index) => [...names].map((field) => ['_entities', index, field]));
  return paths.slice(0, MAX_ERRORS);
}

const responseName = ({ alias, name }: FieldNode): string => alias?.value ?? name.value;

const fieldsOf = (selections: readonly SelectionNode[]): FieldNode[] =>
  selections.flatMap((node) => {
    if (node.kind === Kind.FIELD) return node.name.value === '__typename' ? [] : [node];
    return node.kind === Kind.INLINE_FRAGMENT ? fieldsOf(node.selectionSet.selections) : [];
  });

/** One promise and one timer: this is done for every fetch. */
const within = <T>({ deadline, signal }: Pick<SubgraphRequest, 'deadline' | 'signal'>, answer: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const late = (): void => reject(new Error('no answer before the deadline'));
    const timer = setTimeout(late, Math.max(0, deadline - Date.now()));
    const leave = (): void => {
      clearTimeout(timer);
      reject(new Error('nobody waits for the answer any more'));
    };
    signal?.addEventListener('abort', leave);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    };
    answer.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: Error) => {
        settle();
        reject(error);
      },
    );
  });
