import type { ExecutionResult, GraphQLError } from 'graphql';
import { createClient, type Client } from 'graphql-ws';
import { LRUCache } from 'lru-cache';
import { WebSocket } from 'ws';
import { answersShape } from './answer-shape.ts';
import { createChannel } from './channel.ts';
import { Problem } from './errors.ts';
import { createPoster, TooLate, type Poster } from './http-post.ts';
import { IDENTITY_HEADER, signIdentity, type Identity } from './identity.ts';
import { createResilience, type Resilience, type ResilienceOptions } from './resilience.ts';
import type { CommandRequest, CommandTransport, SubgraphRequest, SubgraphTransport } from './transport.ts';
import { problemFromWire, subgraphUnavailable } from './wire.ts';

export interface HttpTransportOptions {
  /** Longest time one query or mutation may take, retries included; the deadline of the request may shorten it. Default 5,000. */
  timeoutMs?: number;
  /** The same for commands, whose own deadline is usually shorter. Default 60,000. */
  commandTimeoutMs?: number;
  /** Sockets kept open to the subgraph. Default 32. */
  connections?: number;
  /** Largest answer that is read. Default 16 MB. */
  maxAnswerBytes?: number;
  resilience?: Pick<ResilienceOptions, 'breaker' | 'retry'>;
}

export interface HttpTransport extends SubgraphTransport, CommandTransport {
  close(): Promise<void>;
}

const KEY_REUSE_MS = 30_000;
const REMEMBERED_IDENTITIES = 5_000;
const CONNECT_TIMEOUT_MS = 2_000;
/** A call that was given less time than this and ran out of it says nothing about the health of the other side. */
const FAIR_TIME_MS = 1_000;
const WAITING_EVENTS = 1_000;

/** Asks a subgraph in another process: a kept-alive pool for requests and commands, one socket, opened when needed, for all subscriptions. */
export function httpTransport(name: string, baseUrl: string, options: HttpTransportOptions = {}): HttpTransport {
  const { timeoutMs = 5_000, commandTimeoutMs = 60_000, connections = 32, maxAnswerBytes = 16 * 1024 * 1024 } = options;
  const base = new URL(baseUrl);
  const prefix = base.pathname.replace(/\/$/, '');
  const poster = createPoster(base.origin, { connections, connectTimeoutMs: CONNECT_TIMEOUT_MS, maxAnswerBytes });
  const keyFor = createKeyring(name);
  const post = createPost(name, { poster, prefix, keyFor });
  const resilience = resilienceFor(name, options.resilience);
  const sockets = createSocketClient(`${base.origin.replace(/^http/, 'ws')}${prefix}/graphql`, maxAnswerBytes);

  return {
    execute({ query, operationName, variables, ...request }) {
      const time = timeOf(request, timeoutMs);
      const work = async (): Promise<ExecutionResult> =>
        graphqlAnswer(name, query, await post('/graphql', { ...request, ...time }, { query, operationName, variables }));
      return resilience.run(work, { repeatable: !isMutation(query), deadline: time.until });
    },
    call({ command, input, idempotencyKey, ...request }) {
      const time = timeOf(request, commandTimeoutMs);
      const path = `/internal/${encodeURIComponent(command)}`;
      const work = async (): Promise<unknown> => commandAnswer(name, await post(path, { ...request, ...time, idempotencyKey }, { input }));
      return resilience.run(work, { repeatable: idempotencyKey !== undefined, deadline: time.until });
    },
    subscribe: async (request) => openSubscription(name, sockets, request, await keyFor(request.identity)),
    async close() {
      await sockets.dispose();
      await poster.close();
    },
  };
}

interface PostOptions {
  poster: Poster;
  prefix: string;
  keyFor: (identity: Identity) => Promise<string>;
}

type Post = (path: string, request: Envelope, body: object) => Promise<Answer>;

/** One attempt. Whatever keeps the answer away is an unavailable subgraph; why stays in the log. */
function createPost(name: string, { poster, prefix, keyFor }: PostOptions): Post {
  return async (path, request, body) => {
    const patience = request.until - Date.now();
    if (patience <= 0) throw impatient(name);
    try {
      const { status, text } = await poster.post({
        path: `${prefix}${path}`,
        headers: headersOf(request, await keyFor(request.identity)),
        body: JSON.stringify(body),
        timeoutMs: patience,
      });
      return { status, value: JSON.parse(text) };
    } catch (error) {
      throw error instanceof TooLate && request.isHurried ? impatient(name, error) : subgraphUnavailable(name, error);
    }
  };
}

interface Envelope extends Pick<CommandRequest, 'identity' | 'correlationId' | 'deadline' | 'idempotencyKey'> {
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

function headersOf({ correlationId, deadline, idempotencyKey }: Envelope, key: string): Record<string, string> {
  const headers: Record<string, string> = {
    'content-type': 'application/json',
    accept: 'application/json',
    'x-correlation-id': correlationId,
    'x-deadline': String(deadline),
    [IDENTITY_HEADER]: key,
  };
  if (idempotencyKey !== undefined) headers['idempotency-key'] = idempotencyKey;
  return headers;
}

/** Queries of the planner begin with their kind, so no parser is needed to see that one changes something. */
const isMutation = (query: string): boolean => /^\s*mutation\b/.test(query);

const impatientProblems = new WeakSet<Problem>();

function impatient(name: string, cause?: unknown): Problem {
  const problem = subgraphUnavailable(name, cause);
  impatientProblems.add(problem);
  return problem;
}

function resilienceFor(name: string, options: HttpTransportOptions['resilience']): Resilience {
  return createResilience({
    ...options,
    verdictOf(error) {
      if (!(error instanceof Problem)) return 'outage';
      if (impatientProblems.has(error)) return 'nothing';
      // It may be telling that one of those it asked itself is out of order.
      return error.code === 'SUBGRAPH_UNAVAILABLE' && error.facts['subgraph'] === name ? 'outage' : 'alive';
    },
    isRetryable: (error) => error instanceof Problem && error.retryable,
    refusal: () => subgraphUnavailable(name),
  });
}

const contents = new WeakMap<Identity, string>();

/** One operation asks several subgraphs, each of them perhaps several times, as the same one. */
function contentOf(identity: Identity): string {
  let content = contents.get(identity);
  if (content === undefined) contents.set(identity, (content = JSON.stringify(identity)));
  return content;
}

/** One signature serves an identity for half of its life. */
function createKeyring(audience: string): (identity: Identity) => Promise<string> {
  const keys = new LRUCache<string, Promise<string>>({ max: REMEMBERED_IDENTITIES, ttl: KEY_REUSE_MS });
  return (identity) => {
    const memo = contentOf(identity);
    let key = keys.get(memo);
    if (!key) keys.set(memo, (key = signIdentity(identity, audience)));
    return key;
  };
}

function graphqlAnswer(name: string, query: string, { status, value }: Answer): ExecutionResult {
  // 401 means that the two processes do not share a secret: nothing the caller could mend.
  if (status === 401 || !isExecutionResult(value) || !answersShape(query, value.data))
    throw subgraphUnavailable(name, new Error(`answered ${status} with what is no GraphQL answer`));
  return value;
}

function isExecutionResult(value: unknown): value is ExecutionResult {
  if (!isObject(value)) return false;
  const { data, errors } = value;
  const dataFits = data === undefined || data === null || isObject(data);
  const errorsFit =
    errors === undefined || (Array.isArray(errors) && errors.every((error) => isObject(error) && typeof error['message'] === 'string'));
  return dataFits && errorsFit && (data !== undefined || (Array.isArray(errors) && errors.length > 0));
}

function commandAnswer(name: string, { status, value }: Answer): unknown {
  if (status === 200 && isObject(value) && 'result' in value) return value['result'];
  const problem = status === 401 || !isObject(value) ? undefined : problemFromWire(value['error']);
  throw problem ?? subgraphUnavailable(name, new Error(`answered ${status} with what is no answer to a command`));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

function createSocketClient(url: string, maxPayload: number): Client {
  let pongWait: NodeJS.Timeout | undefined;
  class Socket extends WebSocket {
    constructor(address: string, protocol: string) {
      super(address, protocol, { handshakeTimeout: CONNECT_TIMEOUT_MS, maxPayload, perMessageDeflate: false });
    }
  }
  const client = createClient({
    url,
    webSocketImpl: Socket,
    // A lost socket ends its subscriptions with an error: to subscribe again in silence would hide the events between.
    retryAttempts: 0,
    connectionAckWaitTimeout: CONNECT_TIMEOUT_MS,
    keepAlive: 10_000,
    on: {
      ping: (received) => {
        if (!received) pongWait = setTimeout(() => client.terminate(), 5_000).unref();
      },
      pong: (received) => {
        if (received) clearTimeout(pongWait);
      },
      closed: () => clearTimeout(pongWait),
    },
  });
  return client;
}

/** The stream ends with a retryable error when the subgraph is lost; the client resumes it with its cursor. */
function openSubscription(
  name: string,
  client: Client,
  request: SubgraphRequest,
  key: string,
): AsyncGenerator<ExecutionResult, void, void> {
  const { query, operationName, variables, correlationId, wantsStart } = request;
  const slow = (): ExecutionResult => ({ errors: [new Problem('SLOW_CONSUMER', 'The stream was read too slowly.', { retryable: true })] });
  const channel = createChannel<ExecutionResult>({ limit: WAITING_EVENTS, tooSlow: slow, onDone: () => unsubscribe() });
  const unsubscribe = client.subscribe(
    { query, operationName: operationName ?? null, variables: variables ?? null, extensions: { key, correlationId, wantsStart } },
    {
      next: (event) =>
        channel.push(isExecutionResult(event) && answersShape(query, event.data) ? event : { errors: [subgraphUnavailable(name)] }),
      // Refusals come as a list of GraphQL errors, a lost socket as anything else.
      error: (reason) => channel.end({ errors: Array.isArray(reason) ? (reason as GraphQLError[]) : [subgraphUnavailable(name, reason)] }),
      complete: () => channel.end(),
    },
  );
  return channel.values;
}
