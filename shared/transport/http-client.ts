import { Pool, type Dispatcher } from 'undici';

export interface HttpClientOptions {
  /** Sockets kept open. */
  connections: number;
  connectTimeoutMs: number;
  /** Maximum size of a response. */
  maxResponseBytes: number;
}

export interface HttpRequest {
  path: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  /** Time limit of the whole response. */
  timeoutMs: number;
  /** Aborts the request. */
  signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  status: number;
  headers: Dispatcher.ResponseData['headers'];
  text: string;
}

export interface HttpClient {
  /**
   * Rejects without a complete response: with a `ResponseTimeout` after `timeoutMs`, with a `RequestAborted` when the signal fires. With `onPart`
   * the body is passed in parts.
   */
  post(request: HttpRequest, onPart?: (part: Buffer) => void): Promise<HttpResponse>;
  close(): Promise<void>;
}

export class ResponseTimeout extends Error {
  constructor() {
    super('no response in time');
  }
}

export class RequestAborted extends Error {
  constructor() {
    super('the request was aborted');
  }
}

/**
 * POSTs over kept-alive connections. Responses are small, time-limited and fully buffered, so undici's low-level `dispatch` is enough. It costs
 * half of `request()`, which adds streams and signals.
 */
export function createHttpClient(origin: string, { connections, connectTimeoutMs, maxResponseBytes }: HttpClientOptions): HttpClient {
  const pool = new Pool(origin, {
    connections,
    pipelining: 1,
    connect: { timeout: connectTimeoutMs },
    maxResponseSize: maxResponseBytes,
    // Each request has its own `timeoutMs`.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    post: (request, onPart) => new Promise((resolve, reject) => send(pool, request, { resolve, reject, onPart })),
    close: () => pool.destroy(),
  };
}

interface Outcome {
  resolve: (answer: HttpResponse) => void;
  reject: (error: Error) => void;
  onPart: ((part: Buffer) => void) | undefined;
}

function send(pool: Pool, { path, headers, body, timeoutMs, signal }: HttpRequest, { resolve, reject, onPart }: Outcome): void {
  const parts: Buffer[] = [];
  const answer: HttpResponse = { status: 0, headers: {}, text: '' };
  let controller: Dispatcher.DispatchController | undefined;
  let givenUp: Error | undefined;
  const giveUp = (reason: Error): void => {
    givenUp = reason;
    settle();
    controller?.abort(reason);
    reject(reason);
  };
  const timer = setTimeout(() => giveUp(new ResponseTimeout()), timeoutMs);
  const leave = (): void => giveUp(new RequestAborted());
  const settle = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', leave);
  };
  if (signal?.aborted) return leave();
  signal?.addEventListener('abort', leave);
  pool.dispatch(
    { method: 'POST', path, headers, body },
    {
      onRequestStart(started) {
        controller = started;
        // The request left the queue after it was aborted.
        if (givenUp) started.abort(givenUp);
      },
      onResponseStart(_controller, status, answered) {
        answer.status = status;
        answer.headers = answered;
      },
      onResponseData: (_controller, part) => (onPart ? onPart(part) : void parts.push(part)),
      onResponseEnd() {
        settle();
        answer.text = (parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString();
        resolve(answer);
      },
      onResponseError(_controller, error) {
        settle();
        reject(error);
      },
    },
  );
}
