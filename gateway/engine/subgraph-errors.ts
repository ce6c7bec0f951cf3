import { GraphQLError, Kind, parse, type ExecutionResult, type FieldNode, type OperationDefinitionNode, type SelectionNode } from 'graphql';
import { nullMisfits } from '#shared/transport/response-check.ts';
import { Problem, problemOf } from '#shared/base/errors.ts';
import type { Log } from '#shared/base/log.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { subgraphAnswerInvalid } from '#shared/transport/problem-json.ts';

/**
 * What clients hear of an error without a code of its own. `masked`: the subgraph is ours, so it is a fault of ours. `named`: that this
 * subgraph reported one. `exposed`: its message, too.
 */
export type SubgraphErrors = 'masked' | 'named' | 'exposed';

export interface Reporting {
  log: Log;
  /** Default: masked. */
  subgraphErrors?: SubgraphErrors | undefined;
}

/** Errors that tell of one failed fetch; a long list of entities does not become a long list of errors. */
const MAX_ERRORS = 20;
const SUBGRAPH_ERROR = 'SUBGRAPH_ERROR';
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

type Asked = Pick<SubgraphRequest, 'query' | 'variables'>;
type Path = readonly (string | number)[];
type Fields = Readonly<Record<string, unknown>>;

interface Taking {
  request: Asked & Pick<SubgraphRequest, 'correlationId'>;
  reporting: Reporting;
}

/** An answer in which each field of the request is missing. */
export const missing = (request: Asked, problem: Problem): ExecutionResult => ({
  data: null,
  errors: pathsOf(request)
    .slice(0, MAX_ERRORS)
    .map((path) => at(path, problem)),
});

/**
 * The answer of a subgraph as the engine can rely on it, however it came in. What is no answer, or holds something else where an object should
 * be, is told once for each field that it costs.
 */
export function readAnswer(name: string, answer: unknown, { request, reporting }: Taking): ExecutionResult {
  const told = isObject(answer) ? listOf(answer['errors']) : [];
  if (!isObject(answer) || !isAnswer(answer, told.length)) {
    reporting.log.warn({ subgraph: name, correlationId: request.correlationId }, 'a subgraph answered with what is no GraphQL answer');
    return missing(request, subgraphAnswerInvalid(name));
  }
  const { data, misfits } = nullMisfits(request.query, answer['data']);
  if (misfits.length === 0 && answer['errors'] === undefined) return answer;
  const { errors: _told, ...rest } = answer as ExecutionResult;
  const result = { ...rest, ...('data' in rest && { data: data as ExecutionResult['data'] }) };
  const invalid = misfits.slice(0, MAX_ERRORS).map((path) => at(path, subgraphAnswerInvalid(name)));
  const errors = [...told.flatMap((error) => placedErrors(error, result.data, { name, request, reporting })), ...invalid];
  if (invalid.length > 0)
    reporting.log.warn(
      { subgraph: name, paths: misfits.slice(0, MAX_ERRORS), correlationId: request.correlationId },
      'a subgraph answered with something else than an object',
    );
  return errors.length > 0 ? { ...result, errors } : result;
}

/** No data and no errors is no answer, but for the place where a stream begins. */
function isAnswer({ data, extensions }: Fields, errors: number): boolean {
  if (data !== undefined && data !== null) return isObject(data);
  return errors > 0 || (data === null && isObject(extensions) && extensions['cursor'] !== undefined);
}

/** Null is no error, as in other gateways; anything else that is no list is one that says nothing. */
const listOf = (errors: unknown): readonly unknown[] =>
  Array.isArray(errors) ? errors : errors === undefined || errors === null ? [] : [undefined];

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The error at every field that it costs: a code says that the subgraph meant it for the caller. */
function placedErrors(error: unknown, data: unknown, { name, request, reporting }: Taking & { name: string }): GraphQLError[] {
  const fields = isObject(error) ? error : {};
  const { message } = fields;
  const path = isPath(fields['path']) ? fields['path'] : [];
  const { log, subgraphErrors = 'masked' } = reporting;
  const problem = problemOf(error) ?? toldProblem(name, fields, subgraphErrors);
  if (problem?.code === 'SUBSCRIPTION_NOT_SUPPORTED')
    log.warn({ err: problem.cause, subgraph: name, correlationId: request.correlationId }, 'a subgraph does not stream over graphql-ws');
  if (problem?.code === SUBGRAPH_ERROR)
    log.warn({ subgraph: name, path, reported: message, correlationId: request.correlationId }, 'a subgraph reported an error');
  return placesOf(path, data, request).map((place) => (problem ? at(place, problem) : new GraphQLError(String(message), { path: place })));
}

/** Undefined for what is left to be masked. */
function toldProblem(name: string, { message, extensions: given }: Fields, subgraphErrors: SubgraphErrors): Problem | undefined {
  if (typeof message !== 'string') return subgraphAnswerInvalid(name);
  const { code, ...extensions }: Record<string, unknown> = isObject(given) ? given : {};
  // Gateway and subgraph check scalars alike, but a foreign subgraph may know more of them than the gateway.
  if (code === 'GRAPHQL_VALIDATION_FAILED' && message.startsWith('Expected value of type ')) return new Problem('BAD_USER_INPUT', message);
  for (const key of PRIVATE_EXTENSIONS) delete extensions[key];
  const isForeign = subgraphErrors !== 'masked';
  const facts = { ...extensions, ...(isForeign && { subgraph: name }) };
  if (typeof code === 'string' && CODE.test(code) && !OURS.has(code)) return new Problem(code, message, facts);
  if (!isForeign) return undefined;
  if (subgraphErrors === 'exposed') return new Problem(SUBGRAPH_ERROR, message, { ...facts, retryable: false });
  return new Problem(SUBGRAPH_ERROR, `The subgraph ${name} reported an error.`, { subgraph: name });
}

/** Foreign subgraphs may say anything here. */
const isPath = (path: unknown): path is Path =>
  Array.isArray(path) && path.every((step) => typeof step === 'string' || Number.isSafeInteger(step));

const at = (path: Path, problem: Problem): GraphQLError =>
  new GraphQLError(problem.message, { path, originalError: problem, extensions: problem.extensions });

/** Where an error is told: at its path, or when that names no field, at every field it may have cost. */
function placesOf(path: Path, data: unknown, request: Asked): readonly Path[] {
  const namesField = path.length > (path[0] === '_entities' ? 2 : 0);
  if (namesField) return [path];
  const all = pathsOf(request).filter((each) => path.every((step, depth) => each[depth] === step));
  const lost = all.filter((each) => isMissing(data, each));
  // Where nothing is missing it is told once.
  const places = lost.length > 0 ? lost.slice(0, MAX_ERRORS) : all.slice(0, 1);
  return places.length > 0 ? places : [path];
}

function isMissing(data: unknown, path: Path): boolean {
  let value = data;
  for (const step of path) {
    if (typeof value !== 'object' || value === null) return true;
    value = (value as Record<string | number, unknown>)[step];
  }
  return value === null || value === undefined;
}

/** Every field the fetch was to fill in, as the subgraph itself would name it. */
function pathsOf({ query, variables }: Asked): Path[] {
  const operation = parse(query, { noLocation: true }).definitions.find(
    (definition) => definition.kind === Kind.OPERATION_DEFINITION,
  ) as OperationDefinitionNode;
  const roots = fieldsOf(operation.selectionSet.selections);
  const representations = variables?.['representations'];
  if (roots[0]?.name.value !== '_entities' || !Array.isArray(representations)) return roots.map((field) => [responseName(field)]);
  const names = new Set(fieldsOf(roots[0].selectionSet?.selections ?? []).map(responseName));
  return representations.flatMap((_entity, index) => [...names].map((field) => ['_entities', index, field]));
}

const responseName = ({ alias, name }: FieldNode): string => alias?.value ?? name.value;

const fieldsOf = (selections: readonly SelectionNode[]): FieldNode[] =>
  selections.flatMap((node) => {
    if (node.kind === Kind.FIELD) return node.name.value === '__typename' ? [] : [node];
    return node.kind === Kind.INLINE_FRAGMENT ? fieldsOf(node.selectionSet.selections) : [];
  });
