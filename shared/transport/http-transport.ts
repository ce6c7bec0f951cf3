import type { ExecutionResult } from 'graphql';
import { forbidden, overloaded, Problem, unauthenticated } from '../base/errors.ts';
import type { BatchedAnswer } from './batch-format.ts';
import { createBatcher } from './http-batch.ts';
import { createHttpClient, ResponseTimeout, type HttpRequest as HttpPost } from './http-client.ts';
import type { BreakerOptions } from '../base/circuit-breaker.ts';
import { acceptsAt, answersAt } from './probe.ts';
import { createResilience, type Resilience, type ResilienceOptions } from '../base/resilience.ts';
import { createRouteClient } from './route-client.ts';
import { externalAccess, firstPartyAccess, type Access } from './subgraph-access.ts';
import type { CommandRequest, CommandTransport, RouteRequest, SubgraphTransport } from '../kit/transport.ts';
import { changeTimeout, problemFromJson, subgraphAnswerInvalid, subgraphTimeout, subgraphUnavailable } from './problem-json.ts';
import { impatient, isImpatient, isLost, judged, verdictOn } from './verdicts.ts';

export interface HttpTransportOptions {
  /** Time limit of a query or mutation, retries included; the deadline of the request may shorten it. Default 5,000. */
  timeoutMs?: number;
  /** Time limit of a command, whose deadline is usually shorter. Default 60,000. */
  commandTimeoutMs?: number;
  /** Sockets kept open to the subgraph. Default 32. */
  connections?: number;
  /** Time limit to open a socket. Default 2,000. */
  connectTimeoutMs?: number;
  /** Sockets for subscriptions of an external subgraph: one per set of propagated headers. Default 500. */
  callerSockets?: number;
  /** Maximum size of a response. Default 16 MB. */
  maxResponseBytes?: number;
  resilience?: Pick<ResilienceOptions, 'breaker' | 'retry'>;
  /** An external subgraph: requested at exactly this address, without an identity, with the propagated headers. */
  isExternal?: boolean;
}

export interface HttpTransport extends SubgraphTransport, CommandTransport {
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 2_000;
/** A call with less time than this is not retried after a timeout. */
const FAIR_TIME_MS = 1_000;

/** Reaches a subgraph in another process: a kept-alive pool for requests and commands, one socket, opened on demand, for all subscriptions. */
export function httpTransport(name: string, baseUrl: string, options: HttpTransportOptions = {}): HttpTransport {
  const { timeoutMs = 5_000, commandTimeoutMs = 60_000, isExternal = false } = options;
  const { connections = 32, callerSockets = 500, connectTimeoutMs = CONNECT_TIMEOUT_MS, maxResponseBytes = 16 * 1024 * 1024 } = options;
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/$/, '');
  const client = createHttpClient(base.origin, { connections, connectTimeoutMs, maxResponseBytes });
  const limits = { connectTimeoutMs, maxPayload: maxResponseBytes };
  const access = isExternal ? externalAccess(name, base, { ...limits, callerSockets }) : firstPartyAccess(name, base, limits);
  const post = createPost(name, { send: client.post, access });
  const read = createPost(name, { send: createBatcher(client, access.endpoint), access });
  const ready = new URL(`${prefix}/ready`, base.origin);
  const probe = () => (isExternal ? acceptsAt(base) : answersAt(ready));
  const { breaker, retry } = options.resilience ?? {};
  const routes = createRouteClient(name, base, { access, connectTimeoutMs });
  const resilience = resilienceFor(name, probe, { ...(retry && { retry }), breaker: isExternal ? careful(breaker) : (breaker ?? {}) });

  return {
    execute({ query, operationName, variables, ...request }) {
      const repeatable = !isMutation(query);
      // A timeout of a mutation does not tell whether it took effect, so it gets the longer limit.
      const time = timeOf(request, repeatable ? timeoutMs : Math.max(timeoutMs, commandTimeoutMs));
      const sendRequest = repeatable ? read : post;
      const body = { query, operationName, variables };
      const disconnected = request.signal ?? (isExternal ? undefined : untilBegun(request.disconnectSignal));
      const work = async (): Promise<ExecutionResult> =>
        graphqlResult(
          { name, isExternal },
          await sendRequest(access.endpoint, { ...request, ...time, signal: disconnected, isChange: !repeatable }, body),
        );
      return resilience.run(work, { repeatable, deadline: time.until });
    },
    call({ command, input, idempotencyKey, ...request }) {
      const time = timeOf(request, commandTimeoutMs);
      const path = `${prefix}/internal/${encodeURIComponent(command)}`;
      const work = async (): Promise<unknown> =>
        commandResult(name, await post(path, { ...request, ...time, idempotencyKey, command }, { input }));
      return resilience.run(work, { repeatable: idempotencyKey !== undefined, deadline: time.until });
    },
    subscribe: (request) => access.subscribe(request),
    ...(!isExternal && {
      // A body that has begun to flow cannot be sent again.
      request: (request: RouteRequest) =>
        resilience.run(() => routes.request(request), { repeatable: request.body === undefined, deadline: request.deadline }),
    }),
    async close() {
      resilience.close();
      await access.close();
      await Promise.all([client.close(), routes.close()]);
    },
  };
}

/** An accepted connection does not prove that the subgraph responds: one call at a time probes it. */
const careful = ({ trials = 1, successThreshold = 2, ...options }: BreakerOptions = {}): BreakerOptions => ({
  ...options,
  trials,
  successThreshold,
});

interface PostOptions {
  send: (request: HttpPost) => Promise<BatchedAnswer>;
  access: Access;
}

type Post = (path: string, request: Envelope, body: object) => Promise<SubgraphResponse>;

/** One attempt. A missing response becomes a Problem; its cause stays in the log. */
function createPost(name: string, { send, access }: PostOptions): Post {
  return async (path, request, body) => {
    const patience = request.until - Date.now();
    const late = (cause?: unknown): Problem => (request.isChange ? changeTimeout(name, cause) : subgraphTimeout(name, cause));
    if (patience <= 0 || request.signal?.aborted) throw impatient(subgraphTimeout(name));
    try {
      const { status, text } = await send({
        path,
        headers: headersOf(request, await access.headersFor(request.identity, request.command ? `command ${request.command}` : 'graphql')),
        body: JSON.stringify(body),
        timeoutMs: patience,
        signal: request.signal,
      });
      return { status, value: parsed(text) };
    } catch (error) {
      if (request.signal?.aborted) throw impatient(late(error));
      if (error instanceof ResponseTimeout) throw request.isHurried ? impatient(late(error)) : judged(late(error), 'nothing');
      if (isTooLarge(error)) throw subgraphAnswerInvalid(name, error);
      throw judged(subgraphUnavailable(name, error), isLost(error) ? 'outage' : 'nothing');
    }
  };
}

interface Envelope extends Pick<CommandRequest, 'identity' | 'correlationId' | 'deadline' | 'idempotencyKey'> {
  signal?: AbortSignal | undefined;
  /** Absent for GraphQL requests. */
  command?: string;
  /** True for a mutation. */
  isChange?: boolean;
  until: number;
  isHurried: boolean;
}

/** A first-party subgraph finishes a begun mutation after its connection is closed, so the signal matters only before the request. */
const untilBegun = (disconnectSignal: AbortSignal | undefined): AbortSignal | undefined =>
  disconnectSignal?.aborted ? undefined : disconnectSignal;

/** The end of a call with all its attempts. */
function timeOf({ deadline }: Pick<CommandRequest, 'deadline'>, maxMs: number): Pick<Envelope, 'until' | 'isHurried'> {
  const patience = Math.min(deadline - Date.now(), maxMs);
  return { until: Date.now() + patience, isHurried: patience < FAIR_TIME_MS };
}

interface SubgraphResponse {
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

/** Documents of the planner begin with their kind, so no parser is needed. */
const isMutation = (query: string): boolean => /^\s*mutation\b/.test(query);

const isTooLarge = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';

function resilienceFor(name: string, probe: () => Promise<boolean>, options: HttpTransportOptions['resilience']): Resilience {
  return createResilience({
    ...options,
    probe,
    verdictOf: (error) => (error instanceof Problem ? verdictOn(error) : 'nothing'),
    isRetryable: (error) => error instanceof Problem && error.retryable && error.code !== 'OVERLOADED' && !isImpatient(error),
    refusal: () => subgraphUnavailable(name),
  });
}

interface Requested {
  name: string;
  isExternal: boolean;
}

/** Statuses by which an external subgraph refuses the propagated headers of one client: the subgraph itself is healthy. */
const REFUSALS: Readonly<Record<number, () => Problem>> = { 401: unauthenticated, 403: forbidden };

/** The GraphQL result, as far as HTTP can tell. The caller checks the rest. */
function graphqlResult({ name, isExternal }: Requested, { status, value }: SubgraphResponse): ExecutionResult {
  // A 401 of a first-party subgraph means that the processes do not share a secret: the client cannot correct that.
  const refused = status === 503 && !isExternal ? overloadIn(value) : undefined;
  if (refused) throw refused;
  const isOurSecret = !isExternal && status === 401;
  if (!isOurSecret && isObject(value) && ('data' in value || Array.isArray(value['errors']))) return value;
  const refusal = isExternal ? REFUSALS[status]?.() : undefined;
  if (refusal) throw refusal;
  const reason = new Error(`answered ${status} with what is no GraphQL answer`);
  throw isOurSecret || isOutage(status) ? subgraphUnavailable(name, reason) : subgraphAnswerInvalid(name, reason);
}

/** Statuses of a server or its proxy after which a retry may help. */
const isOutage = (status: number): boolean => status >= 500 || status === 408 || status === 429;

/** The OVERLOADED problem of a refused request. */
function overloadIn(value: unknown): Problem | undefined {
  const { errors } = (isObject(value) ? value : {}) as ExecutionResult;
  const { code, retryAfterSeconds } = errors?.[0]?.extensions ?? {};
  return code === 'OVERLOADED' ? overloaded(Number(retryAfterSeconds) || 1) : undefined;
}

function commandResult(name: string, { status, value }: SubgraphResponse): unknown {
  if (status === 200 && isObject(value) && 'result' in value) return value['result'];
  const problem = status === 401 || !isObject(value) ? undefined : problemFromJson(value['error']);
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
