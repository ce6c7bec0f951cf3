import { GraphQLError, type GraphQLFormattedError } from 'graphql';

/** Where in the caller's input the trouble is: field names and list positions. */
export type InputPath = readonly (string | number)[];

export interface ProblemExtensions {
  path?: InputPath;
  /** True when the same request may succeed if it is sent again later. */
  retryable?: boolean;
  /** The GraphQL type, an implementation of UserError, whose fields carry the facts. */
  typename?: string;
  /** What led to this; logged, never sent. */
  cause?: unknown;
  [fact: string]: unknown;
}

export interface MaskOptions {
  correlationId: string;
  log: { error(facts: object, message: string): void };
}

/** What each common code means. Subgraphs add their own beside these. */
export const COMMON_CODES = {
  AMOUNT_TOO_LARGE: 'An amount is beyond what can be counted exactly.',
  BAD_REQUEST: 'The request is not what GraphQL over HTTP or WebSocket asks for.',
  BAD_USER_INPUT: 'A variable or an argument does not fit its type.',
  COMPENSATED_BY_ADMIN: 'An admin had everything undone.',
  CURRENCY_MISMATCH: 'Amounts of different currencies were mixed.',
  CURSOR_EXPIRED: 'A live cursor is older than what is kept; load the current state and subscribe without it.',
  FORBIDDEN: 'The viewer may not do this.',
  GRAPHQL_PARSE_FAILED: 'The operation is not GraphQL.',
  GRAPHQL_VALIDATION_FAILED: 'The operation does not fit the schema.',
  IDEMPOTENCY_IN_FLIGHT: 'The same request is still being worked on; ask again in a moment.',
  IDEMPOTENCY_KEY_REUSED: 'The idempotency key was used before with other input.',
  INTERNAL_SERVER_ERROR: 'Something is broken here; the correlation id finds it in the logs.',
  INTROSPECTION_DISABLED: 'The schema is not shown to anonymous callers here.',
  INVALID: 'A value is not acceptable; `path` says which.',
  INVALID_CURSOR: 'A cursor was not made by this list, or was altered.',
  METHOD_NOT_ALLOWED: 'The endpoint is not asked by this HTTP method; the header `Allow` names those it is.',
  NOT_FOUND: 'There is no such thing, or the viewer may not know of it.',
  OPERATION_RESOLUTION_FAILURE: 'It is not clear which operation of the document is meant.',
  OPERATION_UNSATISFIABLE: 'The operation fits the schema, but no way through the subgraphs answers it.',
  PERSISTED_QUERY_NOT_FOUND: 'No operation with this hash is known; send its text.',
  OVERLOADED: 'There is more to do than can be done in time, so this was not begun; `retryAfterSeconds` says when to send it again.',
  PERSISTED_QUERY_NOT_SUPPORTED: 'No operations are known by their hashes here; always send the text.',
  RATE_LIMITED: 'Too many attempts; `retryAfterSeconds` says when to come back.',
  OPERATION_TOO_COMPLEX: 'The operation asks for more than one request may.',
  PAYLOAD_TOO_LARGE: 'The request has more bytes than are read.',
  SLOW_CONSUMER: 'A live stream was read too slowly and was ended; resume it with the last cursor.',
  STALE_VERSION: 'The thing was changed by someone else since it was read.',
  SUBGRAPH_ANSWER_INVALID: 'One subgraph answered what its schema does not allow; the rest of the answer stands.',
  SUBGRAPH_ERROR: 'One subgraph that is not ours reported an error; the rest of the answer stands.',
  SUBGRAPH_UNAVAILABLE: 'One subgraph does not answer; the rest of the answer stands.',
  SUBSCRIPTION_NOT_SUPPORTED: 'The subgraph of the subscription does not stream over graphql-ws.',
  SUBSCRIPTION_OVER_HTTP: 'Subscriptions are opened over graphql-ws, server-sent events or multipart.',
  TIMEOUT: 'It took longer than anyone waits.',
  TOO_MANY_OPERATIONS: 'A socket or a viewer has as many operations or streams open as it may.',
  UNAUTHENTICATED: 'The request needs a signed-in viewer.',
  UNAVAILABLE: 'A part of the system does not answer at the moment.',
  UNKNOWN_COMMAND: 'No subgraph answers a command of this name.',
  UNKNOWN_OPERATION: 'Only operations that are known here are answered.',
  UNKNOWN_EVENT: 'No handler here subscribes to an event of this name and version.',
} as const;

const REQUEST_CODES = new Set([
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'OPERATION_RESOLUTION_FAILURE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
]);

/** A refusal the caller can understand and act on. Anything else that is thrown is a bug, and leaves masked. */
export class Problem extends GraphQLError {
  readonly code: string;
  readonly typename: string;
  readonly retryable: boolean;
  readonly inputPath: InputPath | undefined;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, extensions: ProblemExtensions = {}) {
    const { path, retryable = false, typename = 'PlainUserError', cause, ...facts } = extensions;
    super(message, { extensions: { ...facts, ...(path && { path }), code, retryable } });
    this.name = 'Problem';
    this.code = code;
    this.typename = typename;
    this.retryable = retryable;
    this.inputPath = path;
    this.facts = facts;
    if (cause !== undefined) this.cause = cause;
  }
}

/** `path` is the field of the input that names it, such as `['input', 'id']`. */
export const notFound = (type: string, id: string, path?: InputPath): Problem =>
  new Problem('NOT_FOUND', `There is no ${type} with this id.`, { type, id, ...(path && { path }) });

export const forbidden = (): Problem => new Problem('FORBIDDEN', 'You may not do this.');

export const unauthenticated = (): Problem => new Problem('UNAUTHENTICATED', 'Sign in to do this.');

export const invalid = (path: InputPath, message: string): Problem => new Problem('INVALID', message, { path });

/** `what` is a word for people ("search"), never an address. */
export const unavailable = (what: string, cause?: unknown): Problem =>
  new Problem('UNAVAILABLE', `The ${what} cannot be reached at the moment.`, {
    retryable: true,
    cause,
  });

/** Said before anything was done. */
export const overloaded = (retryAfterSeconds: number): Problem =>
  new Problem('OVERLOADED', 'There is too much to do at the moment. Nothing was done: ask again later.', {
    retryable: true,
    retryAfterSeconds,
  });

/** True for a Problem itself; use `problemOf` for errors that come out of a GraphQL execution. */
export const isProblem = (error: unknown): error is Problem => error instanceof Problem;

/** The Problem that was thrown, also when graphql-js has wrapped it to add the place in the answer. */
export function problemOf(error: unknown): Problem | undefined {
  let current = error;
  for (let depth = 0; depth < 10 && current instanceof GraphQLError; depth += 1) {
    if (isProblem(current)) return current;
    current = current.originalError;
  }
  return undefined;
}

/**
 * What may leave the process of anything that was thrown: Problems and GraphQL's own refusals with their code, everything
 * else logged with its cause and answered without a word about it. Never throws.
 */
export function maskError(error: unknown, options: MaskOptions): GraphQLFormattedError {
  const { correlationId } = options;
  try {
    const problem = problemOf(error);
    if (problem) {
      return {
        message: problem.message,
        ...placeOf(error),
        extensions: { ...problem.extensions, correlationId },
      };
    }
    const code = requestCode(error);
    if (code) {
      const { message } = error as GraphQLError;
      const path = code === 'BAD_USER_INPUT' ? inputPathOf(message) : undefined;
      return {
        message: withoutValue(error as GraphQLError),
        ...placeOf(error),
        extensions: { code, ...(path && { path }), retryable: false, correlationId },
      };
    }
    logQuietly(error, options);
    if (isStoreGone(error)) return maskError(within(error, unavailable('store')), options);
    return internalError(correlationId, placeOf(error));
  } catch {
    return internalError(correlationId, {});
  }
}

type Place = Pick<GraphQLFormattedError, 'path' | 'locations'>;

const internalError = (correlationId: string, place: Place): GraphQLFormattedError => ({
  message: 'Something went wrong on our side.',
  ...place,
  extensions: { code: 'INTERNAL_SERVER_ERROR', retryable: false, correlationId },
});

function placeOf(error: unknown): Place {
  if (!(error instanceof GraphQLError)) return {};
  const { path, locations } = error;
  return { ...(locations && { locations }), ...(path && { path }) };
}

// What the drivers of both stores throw when nobody answers. By name: they bring several copies of these classes.
const STORE_GONE =
  /^(Mongo(ose)?(ServerSelection|Network|NetworkTimeout|NotConnected|TopologyClosed|PoolCleared|PoolClosed|WaitQueueTimeout)Error|PoolClearedOnNetworkError|MaxRetriesPerRequestError)$/;

// What the driver says of a command that may be sent again: the transaction lost against another one, or its outcome is unknown.
const REPEATABLE = ['TransientTransactionError', 'UnknownTransactionCommitResult', 'RetryableWriteError'];

/** True when a store could not be reached or could not do it now, so that nothing is wrong with the request or with us. */
const isStoreGone = (error: unknown): boolean => {
  const cause = error instanceof GraphQLError ? (error.originalError ?? error) : error;
  if (!(cause instanceof Error)) return false;
  const { errorLabels } = cause as { errorLabels?: unknown };
  return (
    STORE_GONE.test(cause.name) ||
    isNetworkFailure(cause) ||
    isSelectionFailure(cause) ||
    (Array.isArray(errorLabels) && REPEATABLE.some((label) => errorLabels.includes(label)))
  );
};

/**
 * True when the store's connection broke under a command. MongoDB's driver wraps such an error of a bulk write in a MongoBulkWriteError, which
 * keeps the fields of a MongoNetworkError, but neither its name nor its labels.
 */
export const isNetworkFailure = (error: unknown): boolean =>
  error instanceof Error && error.name.startsWith('Mongo') && 'beforeHandshake' in error;

/** True when the store did not come back while the driver waited for it; also of a bulk write. */
export const isSelectionFailure = (error: unknown): boolean =>
  error instanceof Error && (error.name === 'MongoServerSelectionError' || (error.name === 'MongoBulkWriteError' && 'reason' in error));

/** The problem at the place in the answer where the error was. */
const within = (error: unknown, problem: Problem): GraphQLError =>
  error instanceof GraphQLError
    ? new GraphQLError(problem.message, { nodes: error.nodes, path: error.path, originalError: problem })
    : problem;

/** The code of a refusal that is the request's fault; undefined when it is ours. */
function requestCode(error: unknown): string | undefined {
  if (!(error instanceof GraphQLError)) return undefined;
  const { code } = error.extensions;
  if (typeof code === 'string') return REQUEST_CODES.has(code) ? code : undefined;
  const { message, path, nodes, positions } = error;
  if (/^(Must provide (an operation|operation name)|Unknown operation named)/.test(message)) return 'OPERATION_RESOLUTION_FAILURE';
  if (message.startsWith('Too many errors processing variables')) return 'BAD_USER_INPUT';
  // With a place in the answer it happened while executing: only a missing argument is then still the caller's doing.
  if (path) return nodes && /^Argument "\w+" of /.test(message) ? 'BAD_USER_INPUT' : undefined;
  if (nodes?.[0]?.kind === 'VariableDefinition' && message.startsWith('Variable "$')) return 'BAD_USER_INPUT';
  if (nodes || message.startsWith('Too many validation errors')) return 'GRAPHQL_VALIDATION_FAILED';
  return positions && message.startsWith('Syntax Error') ? 'GRAPHQL_PARSE_FAILED' : undefined;
}

/**
 * Where in the input graphql-js found a value that does not fit: the name of the variable and the way inside it, or the name of the argument.
 * Read from the message, since nothing else says so. Values in it are printed as JSON, so a quote of theirs cannot end a pattern.
 */
const MAX_REASON_LENGTH = 300;

/** What graphql-js says of a variable without the value, which it prints whole: it may be long, or a secret. */
function withoutValue({ message, originalError }: GraphQLError): string {
  const [, variable] = /^Variable "\$(\w+)" got invalid value /.exec(message) ?? [];
  const reason = originalError?.message;
  if (!variable || !reason || !message.endsWith(`; ${reason}`)) return message;
  const [place = ''] = / at "[^"]*"$/.exec(message.slice(0, -reason.length - 2)) ?? [];
  const [unvalued] = /^[\s\S]*?\bvalue(?=: )/.exec(reason) ?? [reason];
  return `Variable "$${variable}" got invalid value${place}; ${unvalued.slice(0, MAX_REASON_LENGTH)}`;
}

function inputPathOf(message: string): InputPath | undefined {
  const [, root] = /^(?:Argument "|Variable "\$)(\w+)"/.exec(message) ?? [];
  if (!root) return undefined;
  const [, inside = ''] = new RegExp(` at "${root}((?:\\.\\w+|\\[\\d+\\])+)"; `).exec(message) ?? [];
  const [, field] = /; Field "([^"]+)" (?:is not defined by|of required) type "/.exec(message) ?? [];
  const steps = (inside.match(/\w+/g) ?? []).map((step) => (/^\d/.test(step) ? Number(step) : step));
  return [root, ...steps, ...(field ? [field] : [])];
}

/** The log takes part in whatever is broken, so it may fail as well. */
function logQuietly(error: unknown, { correlationId, log }: MaskOptions): void {
  try {
    const err = error instanceof GraphQLError ? (error.originalError ?? error) : error;
    const path = error instanceof GraphQLError ? error.path : undefined;
    log.error({ err, path, correlationId }, 'unexpected error');
  } catch {
    // Nothing is left to tell it to.
  }
}
