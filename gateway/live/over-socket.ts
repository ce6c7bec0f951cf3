import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import type { Operation } from '../engine/types.ts';
import type { Sink } from './send-queue.ts';
import type { Streams, Subscription } from './stream-registry.ts';

interface SocketSubscription {
  socket: WebSocket;
  /** The client's id of the operation. */
  id: string;
  operation: Operation;
}

/**
 * Close code for a client that reads too slowly; it may resume after its last cursor. Like 1013 (try again later), which libraries may use
 * for other reasons.
 */
export const SLOW_CONSUMER_CODE = 4013;

/**
 * Returns a silent stream to graphql-ws that ends with the subscription. Events are written to the socket directly, since graphql-ws would
 * serialise each one again for every client.
 */
export async function subscribeOverWebsocket(
  streams: Streams,
  { socket, id, operation }: SocketSubscription,
): Promise<AsyncGenerator<never, void, void> | ExecutionResult> {
  const sink = new SocketSink(socket, id);
  const joined = await streams.join(operation, sink);
  if (!('leave' in joined)) return joined;
  sink.subscription = joined;
  return silence(sink, joined);
}

class SocketSink implements Sink {
  subscription: Subscription | undefined;
  readonly over = Promise.withResolvers<void>();
  readonly #socket: WebSocket;
  readonly #head: string;

  constructor(socket: WebSocket, id: string) {
    this.#socket = socket;
    this.#head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  }

  get unsentBytes(): number {
    return this.#socket.bufferedAmount;
  }

  send(text: string, onSent?: () => void): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(`${this.#head}${text}}`, onSent);
  }

  end(): void {
    this.over.resolve();
  }

  closeSlow(): void {
    this.#socket.close(SLOW_CONSUMER_CODE, 'SLOW_CONSUMER: resume after the last cursor');
    this.subscription?.leave();
  }
}

/** Starts on the first `next()`: graphql-ws does not know the operation by its id before. */
function silence({ over }: SocketSink, { start, leave }: Subscription): AsyncGenerator<never, void, void> {
  const done = { done: true, value: undefined } as const;
  const end = async (): Promise<typeof done> => {
    leave();
    over.resolve();
    return done;
  };
  const silent: AsyncGenerator<never, void, void> = {
    [Symbol.asyncIterator]: () => silent,
    [Symbol.asyncDispose]: async () => void (await end()),
    async next() {
      start();
      await over.promise;
      return done;
    },
    return: end,
    throw: async (error: unknown) => {
      await end();
      throw error;
    },
  };
  return silent;
}
