import type { ExecutionResult } from 'graphql';
import { forbidden, overloaded, Problem, unauthenticated } from '../base/errors.ts';
import type { BatchedAnswer } from './batch-format.ts';
import { createBatcher } from './http-batch.ts';
import { createPoster, TooLate, type Post as HttpPost } from './http-client.ts';
import type { BreakerOptions, Verdict } from './circuit-breaker.ts';
import { acceptsAt, answersAt } from './probe.ts';
import { createResilience, type Resilience, type ResilienceOptions } from './resilience.ts';
import { foreignAccess, ownAccess, type Access } from './subgraph-access.ts';
import type { CommandRequest, CommandTransport, SubgraphTransport } from '../kit/transport.ts';
import { changeTimeout, problemFromWire, subgraphAnswerInvalid, subgraphTimeout, subgraphUnavailable } from './problem-json.ts';

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
/** A call that was given less time than this and ran out of it is not tried again. */
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
  const ready = new URL(`${prefix}/ready`, base.origin);
  const probe = () => (isForeign ? acceptsAt(base) : answersAt(ready));
  const { breaker, retry } = options.resilience ?? {};
  const resilience = resilienceFor(name, probe, { ...(retry && { retry }), breaker: isForeign ? careful(breaker) : (breaker ?? {}) });

  return {
    execute({ query, operationName, variables, ...request }) {
      const repeatable = !isMutation(query);
      // Giving up on a change early says nothing of whether it is made.
      const time = timeOf(request, repeatable ? timeoutMs : Math.max(timeoutMs, commandTimeoutMs));
      const sendRequest = repeatable ? read : post;
      const body = { query, operationName, variables };
      const disconnected = request.signal ?? (isForeign ? undefined : untilBegun(request.disconnectSignal));
      const work = async (): Promise<ExecutionResult> =>
        graphqlAnswer(
          { name, isForeign },
          await sendRequest(access.endpoint, { ...request, ...time, signal: disconnected, isChange: !repeatable }, body),
        );
      return resilience.run(work, { repeatable, deadline: time.until });
    },
    call({ command, input, idempotencyKey, ...request }) {
      const time = timeOf(request, commandTimeoutMs);
      const path = `${prefix}/internal/${encodeURIComponent(command)}`;
      const work = async (): Promise<unknown> =>
        commandAnswer(name, await post(path, { ...request, ...time, idempotencyKey, command }, { input }));
      return resilience.run(work, { repeatable: idempotencyKey !== undefined, deadline: time.until });
    },
    subscribe: (request) => access.subscribe(request),
    async close() {
      resilience.close();
      await access.close();
      await poster.close();
    },
  };
}

/** Who accepts connections need not answer: one call at a time tries that. */
const careful = ({ trials = 1, successThreshold = 2, ...options }: BreakerOptions = {}): BreakerOptions => ({
  ...options,
  trials,
  successThreshold,
});

interface PostOptions {
  send: (request: HttpPost) => Promise<BatchedAnswer>;
  access: Access;
}

type Post = (path: string, request: Envelope, body: object) => Promise<Answer>;

/** One attempt. What keeps the answer away is told as a Problem; why stays in the log. */
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
      if (error instanceof TooLate) throw request.isHurried ? impatient(late(error)) : judged(late(error), 'nothing');
      if (isTooLarge(error)) throw subgraphAnswerInvalid(name, error);
      throw judged(subgraphUnavailable(name, error), isLost(error) ? 'outage' : 'nothing');
    }
  };
}

interface Envelope extends Pick<CommandRequest, 'identity' | 'correlationId' | 'deadline' | 'idempotencyKey'> {
  signal?: AbortSignal | undefined;
  /** Left out for what a client may ask. */
  command?: string;
  /** A client's mutation. */
  isChange?: boolean;
  until: number;
  isHurried: boolean;
}

/** One of ours goes on with a mutation that it has begun when its connection is closed. Who has left before leaves what he began to end. */
const untilBegun = (disconnectSignal: AbortSignal | undefined): AbortSignal | undefined =>
  disconnectSignal?.aborted ? undefined : disconnectSignal;

/** Until when a call is waited for, all its attempts together. */
function timeOf({ deadline }: Pick<CommandRequest, 'deadline'>, maxMs: number): Pick<Envelope, 'until' | 'isHurried'> {
  const patience = Math.min(deadline - Date.now(), maxMs);
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

/** What is known of the process behind a problem, where the problem itself does not show it. */
const verdicts = new WeakMap<Problem, Verdict>();

function judged(problem: Problem, verdict: Verdict): Problem {
  verdicts.set(problem, verdict);
  return problem;
}

const impatientProblems = new WeakSet<Problem>();

function impatient(problem: Problem): Problem {
  judged(problem, 'nothing');
  impatientProblems.add(problem);
  return problem;
}

/** Of a connection that was not made, or broke: by the code of Node or undici. */
const LOST = new Set(
  `ECONNREFUSED ECONNRESET ECONNABORTED EPIPE EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN ETIMEDOUT ENOTFOUND EAI_AGAIN
  UND_ERR_CONNECT_TIMEOUT UND_ERR_SOCKET`.split(/\s+/),
);

const isLost = (error: unknown): boolean => LOST.has(String((error as { code?: unknown } | null)?.code));

const isTooLarge = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE';

function resilienceFor(name: string, probe: () => Promise<boolean>, options: HttpTransportOptions['resilience']): Resilience {
  return createResilience({
    ...options,
    probe,
    // Whoever answers lives, whatever it is that it answers.
    verdictOf: (error) => (error instanceof Problem ? (verdicts.get(error) ?? 'alive') : 'nothing'),
    isRetryable: (error) => error instanceof Problem && error.retryable && error.code !== 'OVERLOADED' && !impatientProblems.has(error),
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
  const refused = status === 503 && !isForeign ? overloadIn(value) : undefined;
  if (refused) throw refused;
  const isOurSecret = !isForeign && status === 401;
  if (!isOurSecret && isObject(value) && ('data' in value || Array.isArray(value['errors']))) return value;
  const refusal = isForeign ? REFUSALS[status]?.() : undefined;
  if (refusal) throw refusal;
  const reason = new Error(`answered ${status} with what is no GraphQL answer`);
  throw isOurSecret || isOutage(status) ? subgraphUnavailable(name, reason) : subgraphAnswerInvalid(name, reason);
}

/** What a server or a proxy before it says when another try may help. */
const isOutage = (status: number): boolean => status >= 500 || status === 408 || status === 429;

/** It would not begin with the request. */
function overloadIn(value: unknown): Problem | undefined {
  const { errors } = (isObject(value) ? value : {}) as ExecutionResult;
  const { code, retryAfterSeconds } = errors?.[0]?.extensions ?? {};
  return code === 'OVERLOADED' ? overloaded(Number(retryAfterSeconds) || 1) : undefined;
}

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
