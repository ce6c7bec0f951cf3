import type { ExecutionResult } from 'graphql';
import { forbidden, Problem, unauthenticated } from './errors.ts';
import type { BatchedAnswer } from './batch.ts';
import { createBatcher } from './http-batch.ts';
import { createPoster, TooLate, type Post as HttpPost } from './http-post.ts';
import { createResilience, type Resilience, type ResilienceOptions } from './resilience.ts';
import { foreignAccess, ownAccess, type Access } from './subgraph-access.ts';
import type { CommandRequest, CommandTransport, SubgraphTransport } from './transport.ts';
import { problemFromWire, subgraphAnswerInvalid, subgraphTimeout, subgraphUnavailable } from './wire.ts';

export interface HttpTransportOptions {
  /** Longest time one query or mutation may take, retries included; the deadline of the request may shorten it. Default 5,000. */
  timeoutMs?: number;
  /** The same for commands, whose own deadline is usually shorter. Default 60,000. */
  commandTimeoutMs?: number;
  /** Sockets kept open to the subgraph. Default 32. */
  connections?: number;
  /** Longest time to open one of them. Default 2,000. */
  connectTimeoutMs?: number;
  /** Sockets for subscriptions of a foreign subgraph: one for each set of headers that is handed on. Default 500. */
  callerSockets?: number;
  /** Largest answer that is read. Default 16 MB. */
  maxAnswerBytes?: number;
  resilience?: Pick<ResilienceOptions, 'breaker' | 'retry'>;
  /** A subgraph that is not ours: asked at exactly this address, told nobody's identity, given the headers that are handed on. */
  isForeign?: boolean;
}

export interface HttpTransport extends SubgraphTransport, CommandTransport {
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 2_000;
/** A call that was given less time than this and ran out of it says nothing about the health of the other side. */
const FAIR_TIME_MS = 1_000;

/** Asks a subgraph in another process: a kept-alive pool for requests and commands, one socket, opened when needed, for all subscriptions. */
export function httpTransport(name: string, baseUrl: string, options: HttpTransportOptions = {}): HttpTransport {
  const { timeoutMs = 5_000, commandTimeoutMs = 60_000, isForeign = false } = options;
  const { connections = 32, callerSockets = 500, connectTimeoutMs = CONNECT_TIMEOUT_MS, maxAnswerBytes = 16 * 1024 * 1024 } = options;
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/$/, '');
  const poster = createPoster(base.origin, { connections, connectTimeoutMs, maxAnswerBytes });
  const limits = { connectTimeoutMs, maxPayload: maxAnswerBytes };
  const access = isForeign ? foreignAccess(name, base, { ...limits, callerSockets }) : ownAccess(name, base, limits);
  const post = createPost(name, { send: poster.post, access });
  const read = createPost(name, { send: createBatcher(poster, access.endpoint), access });
  const resilience = resilienceFor(name, options.resilience);

  return {
    execute({ query, operationName, variables, ...request }) {
      const time = timeOf(request, timeoutMs);
      const repeatable = !isMutation(query);
      const ask = repeatable ? read : post;
      const work = async (): Promise<ExecutionResult> =>
        graphqlAnswer({ name, isForeign }, await ask(access.endpoint, { ...request, ...time }, { query, operationName, variables }));
      return resilience.run(work, { repeatable, deadline: time.until });
    },
    call({ command, input, idempotencyKey, ...request }) {
      const time = timeOf(request, commandTimeoutMs);
      const path = `${prefix}/internal/${encodeURIComponent(command)}`;
      const work = async (): Promise<unknown> => commandAnswer(name, await post(path, { ...request, ...time, idempotencyKey }, { input }));
      return resilience.run(work, { repeatable: idempotencyKey !== undefined, deadline: time.until });
    },
    subscribe: (request) => access.subscribe(request),
    async close() {
      await access.close();
      await poster.close();
    },
  };
}

interface PostOptions {
  send: (request: HttpPost) => Promise<BatchedAnswer>;
  access: Access;
}

type Post = (path: string, request: Envelope, body: object) => Promise<Answer>;

/** One attempt. What keeps the answer away is told as a Problem; why stays in the log. */
function createPost(name: string, { send, access }: PostOptions): Post {
  return async (path, request, body) => {
    const patience = request.until - Date.now();
    if (patience <= 0 || request.signal?.aborted) throw impatient(subgraphTimeout(name));
    try {
      const { status, text } = await send({
        path,
        headers: headersOf(request, await access.headersFor(request.identity)),
        body: JSON.stringify(body),
        timeoutMs: patience,
        signal: request.signal,
      });
      return { status, value: parsed(text) };
    } catch (error) {
      if (request.signal?.aborted) throw impatient(subgraphTimeout(name, error));
      if (error instanceof TooLate) throw request.isHurried ? impatient(subgraphTimeout(name, error)) : subgraphTimeout(name, error);
      throw isTooLarge(error) ? subgraphAnswerInvalid(name, error) : subgraphUnavailable(name, error);
    }
  };
}

interface Envelope extends Pick<CommandRequest, 'identity' | 'correlationId' | 'deadline' | 'idempotencyKey'> {
  signal?: AbortSignal | undefined;
  until: number;
  isHurried: boolean;
}

/** Until when a call is waited for, all its attempts together. */
function timeOf({ deadline }: Pick<CommandRequest, 'deadline'>, longestMs: number): Pick<Envelope, 'until' | 'isHurried'> {
  const patience = Math.min(deadline - Date.now(), longestMs);
  return { until: Date.now() + patience, isHurried: patience < FAIR_TIME_MS };
}

interface Answer {
  status: number;
  value: unknown;
}

function headersOf({ correlationId, deadline, idempotencyKey }: Envelope, credentials: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {
    ...credentials,
    'content-type': 'application/json',
    accept: 'application/json',
    'x-correlation-id': correlationId,
    'x-deadline': String(deadline),
  };
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  return headers;
}

/** Queries of the planner begin with their kind, so no parser is needed to see that one changes something. */
const isMutation = (query: string): boolean => /^\s*mutation\b/.test(query);

const impatientProblems = new WeakSet<Problem>();

function impatient(problem: Problem): Problem {
  impatientProblems.add(problem);
  return problem;
}

const isTooLarge = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';
const OUTAGES = new Set(['SUBGRAPH_UNAVAILABLE', 'TIMEOUT']);

function resilienceFor(name: string, options: HttpTransportOptions['resilience']): Resilience {
  return createResilience({
    ...options,
    verdictOf(error) {
      if (!(error instanceof Problem)) return 'outage';
      if (impatientProblems.has(error)) return 'nothing';
      // It may be telling that one of those it asked itself is out of order.
      return OUTAGES.has(error.code) && error.facts['subgraph'] === name ? 'outage' : 'alive';
    },
    isRetryable: (error) => error instanceof Problem && error.retryable && !impatientProblems.has(error),
    refusal: () => subgraphUnavailable(name),
  });
}

interface Asked {
  name: string;
  isForeign: boolean;
}

/** What one that is not ours says of the caller whose headers were handed on to it: it is in order, and others may go on asking it. */
const REFUSALS: Readonly<Record<number, () => Problem>> = { 401: unauthenticated, 403: forbidden };

/** The answer, as far as HTTP can tell: whoever asked looks at the rest, as at answers that came another way. */
function graphqlAnswer({ name, isForeign }: Asked, { status, value }: Answer): ExecutionResult {
  // From one of ours 401 means that the two processes do not share a secret: nothing the caller could mend.
  const isOurSecret = !isForeign && status === 401;
  if (!isOurSecret && isObject(value) && ('data' in value || Array.isArray(value['errors']))) return value;
  const refusal = isForeign ? REFUSALS[status]?.() : undefined;
  if (refusal) throw refusal;
  const reason = new Error(`answered ${status} with what is no GraphQL answer`);
  throw isOurSecret || isOutage(status) ? subgraphUnavailable(name, reason) : subgraphAnswerInvalid(name, reason);
}

/** What a server or a proxy before it says when another try may help. */
const isOutage = (status: number): boolean => status >= 500 || status === 408 || status === 429;

function commandAnswer(name: string, { status, value }: Answer): unknown {
  if (status === 200 && isObject(value) && 'result' in value) return value['result'];
  const problem = status === 401 || !isObject(value) ? undefined : problemFromWire(value['error']);
  throw problem ?? subgraphUnavailable(name, new Error(`answered ${status} with what is no answer to a command`));
}

const UNICODE_MARK = 0xfeff;

function parsed(text: string): unknown {
  try {
    return JSON.parse(text.charCodeAt(0) === UNICODE_MARK ? text.slice(1) : text);
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
