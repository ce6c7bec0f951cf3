import { GraphQLError, Kind, parse, type ExecutionResult, type FieldNode, type OperationDefinitionNode, type SelectionNode } from 'graphql';
import { nullMisfits } from '#shared/transport/response-check.ts';
import { Problem, problemOf } from '#shared/base/errors.ts';
import type { Log } from '#shared/base/log.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { subgraphAnswerInvalid } from '#shared/transport/problem-json.ts';

/**
 * What clients see of an error without a code. `masked`: an internal error, as of a first-party subgraph. `named`: that this subgraph
 * reported an error. `exposed`: also its message.
 */
export type SubgraphErrors = 'masked' | 'named' | 'exposed';

export interface Reporting {
  log: Log;
  /** Default: masked. */
  subgraphErrors?: SubgraphErrors | undefined;
}

/** Errors per failed fetch, so that a long list of entities gives no long list of errors. */
const MAX_ERRORS = 20;
const SUBGRAPH_ERROR = 'SUBGRAPH_ERROR';
const CODE = /^[A-Z][A-Z0-9_]*$/;
/** Codes about a request that the gateway wrote, or about a bug: a client cannot act on them. */
const GATEWAY_CODES = new Set([
  'INTERNAL_SERVER_ERROR',
  'BAD_REQUEST',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
]);
/** Extensions that servers add for their developers. */
const PRIVATE_EXTENSIONS = ['stacktrace', 'exception', 'serviceName', 'http'];

type RequestedFields = Pick<SubgraphRequest, 'query' | 'variables'>;
type Path = readonly (string | number)[];
type Fields = Readonly<Record<string, unknown>>;

interface ResponseContext {
  request: RequestedFields & Pick<SubgraphRequest, 'correlationId'>;
  reporting: Reporting;
}

/** A response in which every requested field is missing. */
export const allFieldsMissing = (request: RequestedFields, problem: Problem): ExecutionResult => ({
  data: null,
  errors: pathsOf(request)
    .slice(0, MAX_ERRORS)
    .map((path) => at(path, problem)),
});

/**
 * Validates the response of a subgraph. An invalid response, or another value where an object should be, is reported once per field that it
 * costs.
 */
export function readResponse(name: string, response: unknown, { request, reporting }: ResponseContext): ExecutionResult {
  const reported = isObject(response) ? listOf(response['errors']) : [];
  if (!isObject(response) || !isResponse(response, reported.length)) {
    reporting.log.warn({ subgraph: name, correlationId: request.correlationId }, 'a subgraph answered with what is no GraphQL response');
    return allFieldsMissing(request, subgraphAnswerInvalid(name));
  }
  const { data, misfits } = nullMisfits(request.query, response['data']);
  if (misfits.length === 0 && response['errors'] === undefined) return response;
  const { errors: _reported, ...rest } = response as ExecutionResult;
  const result = { ...rest, ...('data' in rest && { data: data as ExecutionResult['data'] }) };
  const invalid = misfits.slice(0, MAX_ERRORS).map((path) => at(path, subgraphAnswerInvalid(name)));
  const errors = [...reported.flatMap((error) => placedErrors(error, result.data, { name, request, reporting })), ...invalid];
  if (invalid.length > 0)
    reporting.log.warn(
      { subgraph: name, paths: misfits.slice(0, MAX_ERRORS), correlationId: request.correlationId },
      'a subgraph answered with something else than an object',
    );
  return errors.length > 0 ? { ...result, errors } : result;
}

/** A response needs data or errors, except at the start of a stream. */
function isResponse({ data, extensions }: Fields, errors: number): boolean {
  if (data !== undefined && data !== null) return isObject(data);
  return errors > 0 || (data === null && isObject(extensions) && extensions['cursor'] !== undefined);
}

/** Null counts as no errors, as in other gateways. Any other value that is no list counts as one error without content. */
const listOf = (errors: unknown): readonly unknown[] =>
  Array.isArray(errors) ? errors : errors === undefined || errors === null ? [] : [undefined];

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Places the error at every field that it costs. An error with a code is meant for the client. */
function placedErrors(error: unknown, data: unknown, { name, request, reporting }: ResponseContext & { name: string }): GraphQLError[] {
  const fields = isObject(error) ? error : {};
  const { message } = fields;
  const path = isPath(fields['path']) ? fields['path'] : [];
  const { log, subgraphErrors = 'masked' } = reporting;
  const problem = problemOf(error) ?? problemFor(name, fields, subgraphErrors);
  if (problem?.code === 'SUBSCRIPTION_NOT_SUPPORTED')
    log.warn({ err: problem.cause, subgraph: name, correlationId: request.correlationId }, 'a subgraph does not stream over graphql-ws');
  if (problem?.code === SUBGRAPH_ERROR)
    log.warn({ subgraph: name, path, reported: message, correlationId: request.correlationId }, 'a subgraph reported an error');
  return placesOf(path, data, request).map((place) => (problem ? at(place, problem) : new GraphQLError(String(message), { path: place })));
}

/** Undefined for an error to mask. */
function problemFor(name: string, { message, extensions: given }: Fields, subgraphErrors: SubgraphErrors): Problem | undefined {
  if (typeof message !== 'string') return subgraphAnswerInvalid(name);
  const { code, ...extensions }: Record<string, unknown> = isObject(given) ? given : {};
  // Gateway and subgraph check scalars alike, but an external subgraph may know scalars that the gateway does not.
  if (code === 'GRAPHQL_VALIDATION_FAILED' && message.startsWith('Expected value of type ')) return new Problem('BAD_USER_INPUT', message);
  for (const key of PRIVATE_EXTENSIONS) delete extensions[key];
  const isExternal = subgraphErrors !== 'masked';
  const facts = { ...extensions, ...(isExternal && { subgraph: name }) };
  if (typeof code === 'string' && CODE.test(code) && !GATEWAY_CODES.has(code)) return new Problem(code, message, facts);
  if (!isExternal) return undefined;
  if (subgraphErrors === 'exposed') return new Problem(SUBGRAPH_ERROR, message, { ...facts, retryable: false });
  return new Problem(SUBGRAPH_ERROR, `The subgraph ${name} reported an error.`, { subgraph: name });
}

/** External subgraphs may send anything here. */
const isPath = (path: unknown): path is Path =>
  Array.isArray(path) && path.every((step) => typeof step === 'string' || Number.isSafeInteger(step));

const at = (path: Path, problem: Problem): GraphQLError =>
  new GraphQLError(problem.message, { path, originalError: problem, extensions: problem.extensions });

/** Where an error is reported: at its path; if the path names no field, at every field that it may have cost. */
function placesOf(path: Path, data: unknown, request: RequestedFields): readonly Path[] {
  const namesField = path.length > (path[0] === '_entities' ? 2 : 0);
  if (namesField) return [path];
  const all = pathsOf(request).filter((each) => path.every((step, depth) => each[depth] === step));
  const lost = all.filter((each) => isMissing(data, each));
  // When no field is missing, it is reported once.
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

/** Every field of the fetch, by the paths of the subgraph. */
function pathsOf({ query, variables }: RequestedFields): Path[] {
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
