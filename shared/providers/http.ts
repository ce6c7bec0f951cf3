import { channel } from 'node:diagnostics_channel';
import { Agent, request as send, errors } from 'undici';
import type { z } from 'zod';
import { createResilience, type Resilience } from '../base/resilience.ts';
import { isProblem, Problem, unavailable } from '../base/errors.ts';
import type { Log } from '../base/log.ts';

export interface HttpPolicy {
  /** Time limit of one attempt. Default 10,000. */
  timeoutMs?: number;
  /**
   * Attempts in all, and the methods that are safe to repeat. Default 3, of GET and HEAD. A call with an idempotency key may be repeated whatever
   * its method.
   */
  retry?: { attempts?: number; on?: readonly string[] };
  /** Failures in a row that open the circuit breaker of an origin, and how long it stays open. Default 5 and 60,000. */
  breaker?: { failures?: number; openMs?: number };
  /** Names of headers and query parameters that no log line shows. */
  redact?: readonly string[];
  /** Largest response. Default 1 MB. */
  maxResponseBytes?: number;
}

export interface ProviderCall {
  /** Of the operation, for logs and metrics: `initiate`. */
  name: string;
  method?: string;
  url: string | URL;
  headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON. */
  body?: string | Buffer | URLSearchParams | Readonly<Record<string, unknown>>;
  /** Our own id of what the call does: sent as `idempotency-key`, and what makes it safe to repeat. */
  idempotencyKey?: string;
  timeoutMs?: number;
  signal?: AbortSignal | undefined;
}

export interface ProviderResponse {
  status: number;
  headers: Record<string, string>;
  text: string;
  /** Throws UNAVAILABLE when the body does not fit. */
  json<T>(schema: z.ZodType<T>): T;
}

export interface ProviderHttp {
  /**
   * Any response below 500 is a response. Rejects with UNAVAILABLE without one: the third party may have done what was asked, so whoever changes
   * something looks by our own id first (`effect.ts`).
   */
  request(call: ProviderCall): Promise<ProviderResponse>;
  /** For libraries that take a `fetch` of their own. */
  fetch(input: string | URL, init?: FetchOptions): Promise<Response>;
  close(): Promise<void>;
}

interface FetchOptions {
  method?: string;
  headers?: RequestInit['headers'] | Record<string, string>;
  body?: unknown;
  signal?: AbortSignal | null;
}

/** What is published on the channel for each call, after its last attempt: metrics are made of it. */
export interface ProviderCallFacts {
  provider: string;
  call: string;
  outcome: 'RESPONSE' | 'FAILURE';
  status: number | undefined;
  attempts: number;
  ms: number;
}

export const PROVIDER_CALLS = 'soko:provider-call';

const calls = channel(PROVIDER_CALLS);
const TIMEOUT_MS = 10_000;
const CONNECT_MS = 5_000;
const CONNECTIONS = 32;
const MAX_BYTES = 1024 * 1024;
const SAFE = ['GET', 'HEAD'];
const HIDDEN = '[hidden]';
const ALWAYS_HIDDEN = ['authorization', 'cookie', 'set-cookie', 'x-api-key'];
/** Statuses of a third party, or of its proxy, that is not there. */
const OUTAGE = new Set([502, 503, 504]);

let headersOfTrace = (): Record<string, string> => ({});

/** Sets what adds the headers of the running trace to each call. */
export function setTraceHeaders(read: () => Record<string, string>): void {
  headersOfTrace = read;
}

interface Attempted {
  status: number;
  headers: Record<string, string>;
  text: string;
}

/** A failure of one attempt; `status` where there was a response. */
class AttemptFailed extends Error {
  readonly status: number | undefined;

  constructor(message: string, options: { status?: number; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.status = options.status;
  }
}

export function createProviderHttp(provider: string, policy: HttpPolicy, log: Log): ProviderHttp {
  const { timeoutMs = TIMEOUT_MS, retry = {}, breaker = {}, redact = [], maxResponseBytes = MAX_BYTES } = policy;
  const { attempts = 3, on: repeatable = SAFE } = retry;
  const hidden = new Set([...ALWAYS_HIDDEN, ...redact].map((name) => name.toLowerCase()));
  const agent = new Agent({ connections: CONNECTIONS, connect: { timeout: CONNECT_MS }, maxResponseSize: maxResponseBytes });
  const origins = new Map<string, Resilience>();

  function resilienceOf({ origin }: URL): Resilience {
    let found = origins.get(origin);
    if (!found) {
      const { failures = 5, openMs = 60_000 } = breaker;
      found = createResilience({
        breaker: { failureThreshold: failures, openMs, maxOpenMs: openMs, probeEveryMs: 0 },
        retry: { attempts: attempts - 1 },
        verdictOf: (error) => (error instanceof AttemptFailed && isOutage(error) ? 'outage' : 'alive'),
        isRetryable: (error) => error instanceof AttemptFailed,
        refusal: () => unavailable(provider, new Error('the circuit breaker is open')),
      });
      origins.set(origin, found);
    }
    return found;
  }

  async function attempt(call: ProviderCall, url: URL, headers: Record<string, string>): Promise<Attempted> {
    const limit = AbortSignal.timeout(call.timeoutMs ?? timeoutMs);
    const signal = call.signal ? AbortSignal.any([limit, call.signal]) : limit;
    try {
      const {
        statusCode: status,
        headers: given,
        body,
      } = await send(url, {
        dispatcher: agent,
        method: (call.method ?? 'GET') as 'GET',
        headers,
        body: bodyOf(call.body),
        signal,
      });
      const text = await body.text();
      if (status >= 500 || status === 429) throw new AttemptFailed(`${provider} answered ${status}`, { status });
      return { status, headers: flat(given), text };
    } catch (error) {
      if (error instanceof AttemptFailed) throw error;
      throw new AttemptFailed(limit.aborted ? `${provider} did not answer in time` : `${provider} cannot be reached`, { cause: error });
    }
  }

  function logged(call: ProviderCall, url: URL, facts: ProviderCallFacts, error?: unknown): void {
    calls.publish(facts);
    const query = Object.fromEntries([...url.searchParams].map(([name, value]) => [name, hidden.has(name.toLowerCase()) ? HIDDEN : value]));
    const headers = Object.fromEntries(
      Object.entries(call.headers ?? {}).map(([name, value]) => [name, hidden.has(name.toLowerCase()) ? HIDDEN : value]),
    );
    const line = { ...facts, method: call.method ?? 'GET', url: `${url.origin}${url.pathname}`, query, headers };
    if (error) log.warn({ ...line, err: error }, 'a call of a third party failed');
    else log.debug(line, 'a third party was called');
  }

  async function run(call: ProviderCall): Promise<Attempted> {
    const url = new URL(call.url);
    const facts: ProviderCallFacts = { provider, call: call.name, outcome: 'FAILURE', status: undefined, attempts: 0, ms: 0 };
    const headers = {
      ...(isPlain(call.body) && { 'content-type': 'application/json' }),
      ...(call.body instanceof URLSearchParams && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headersOfTrace(),
      ...call.headers,
      ...(call.idempotencyKey !== undefined && { 'idempotency-key': call.idempotencyKey }),
    };
    const mayRepeat = call.idempotencyKey !== undefined || repeatable.includes(call.method ?? 'GET');
    const since = performance.now();
    const work = (): Promise<Attempted> => {
      facts.attempts += 1;
      return attempt(call, url, headers);
    };
    try {
      const deadline = Date.now() + (call.timeoutMs ?? timeoutMs) * attempts;
      const answered = await resilienceOf(url).run(work, { repeatable: mayRepeat, deadline });
      Object.assign(facts, { outcome: 'RESPONSE', status: answered.status, ms: performance.now() - since });
      logged(call, url, facts);
      return answered;
    } catch (error) {
      Object.assign(facts, { status: error instanceof AttemptFailed ? error.status : undefined, ms: performance.now() - since });
      logged(call, url, facts, error);
      throw isProblem(error) ? error : unavailable(provider, error);
    }
  }

  return {
    async request(call) {
      const { status, headers, text } = await run(call);
      return { status, headers, text, json: (schema) => parsed(provider, schema, text) };
    },
    async fetch(input, { method = 'GET', headers, body, signal } = {}) {
      const {
        status,
        headers: given,
        text,
      } = await run({
        name: new URL(input).pathname,
        method,
        url: input,
        headers: Object.fromEntries(new Headers(headers as RequestInit['headers'])),
        ...(body !== undefined && body !== null && { body: body as string }),
        signal: signal ?? undefined,
      });
      return new Response(text === '' ? null : text, { status, headers: given });
    },
    async close() {
      for (const each of origins.values()) each.close();
      await agent.destroy();
    },
  };
}

const isOutage = ({ status, cause }: AttemptFailed): boolean =>
  status === undefined ? !(cause instanceof errors.ResponseExceededMaxSizeError) : OUTAGE.has(status);

const isPlain = (body: ProviderCall['body']): body is Readonly<Record<string, unknown>> =>
  typeof body === 'object' && !Buffer.isBuffer(body) && !(body instanceof URLSearchParams);

function bodyOf(body: ProviderCall['body']): string | Buffer | null {
  if (body === undefined) return null;
  if (isPlain(body)) return JSON.stringify(body);
  return body instanceof URLSearchParams ? body.toString() : body;
}

const flat = (headers: Record<string, string | string[] | undefined>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));

function parsed<T>(provider: string, schema: z.ZodType<T>, text: string): T {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    throw new Problem('UNAVAILABLE', `The ${provider} cannot be understood at the moment.`, { retryable: true, cause: error });
  }
}
