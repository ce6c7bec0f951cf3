import { Pool } from 'undici';

export interface PostOptions {
  /** Sockets kept open. */
  connections: number;
  connectTimeoutMs: number;
  /** Largest answer that is read. */
  maxAnswerBytes: number;
}

export interface Post {
  path: string;
  headers: Record<string, string>;
  body: string;
  /** How long the whole answer may take. */
  timeoutMs: number;
}

export interface Posted {
  status: number;
  text: string;
}

export interface Poster {
  /** Rejects when there is no whole answer, with a `TooLate` when the time was over. */
  post(request: Post): Promise<Posted>;
  close(): Promise<void>;
}

export class TooLate extends Error {}

/**
 * POSTs over kept-alive connections. Answers are wanted whole, in limited time: so undici's bare `dispatch` does, at half the price of its
 * `request`, with its streams and signals.
 */
export function createPoster(origin: string, { connections, connectTimeoutMs, maxAnswerBytes }: PostOptions): Poster {
  const pool = new Pool(origin, {
    connections,
    pipelining: 1,
    connect: { timeout: connectTimeoutMs },
    maxResponseSize: maxAnswerBytes,
    // Each request has its own time, see above.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  return {
    post: (request) => new Promise((resolve, reject) => send(pool, request, { resolve, reject })),
    close: () => pool.destroy(),
  };
}

interface Settle {
  resolve: (answer: Posted) => void;
  reject: (error: Error) => void;
}

function send(pool: Pool, { path, headers, body, timeoutMs }: Post, { resolve, reject }: Settle): void {
  const parts: Buffer[] = [];
  let status = 0;
  let abort: ((reason: Error) => void) | undefined;
  let late: TooLate | undefined;
  const timer = setTimeout(() => {
    late = new TooLate('no answer in time');
    abort?.(late);
    reject(late);
  }, timeoutMs);
  const fail = (error: Error): void => {
    clearTimeout(timer);
    reject(error);
  };
  pool.dispatch(
    { method: 'POST', path, headers, body },
    {
      // Its turn may come when nobody waits any more.
      onRequestStart(controller) {
        if (late) controller.abort(late);
        abort = (reason) => controller.abort(reason);
      },
      onResponseStart: (_controller, statusCode) => void (status = statusCode),
      onResponseData: (_controller, part) => void parts.push(part),
      onResponseEnd() {
        clearTimeout(timer);
        resolve({ status, text: textOf(parts) });
      },
      onResponseError: (_controller, error) => fail(error),
    },
  );
}

const textOf = (parts: Buffer[]): string => (parts.length === 1 ? parts[0]! : Buffer.concat(parts)).toString();
