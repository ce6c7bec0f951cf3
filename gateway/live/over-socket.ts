import type { ExecutionResult } from 'graphql';
import type { WebSocket } from 'ws';
import type { Operation } from '../engine/types.ts';
import type { Line } from './send-queue.ts';
import type { Streams, Subscription } from './stream-registry.ts';

interface SocketSubscription {
  socket: WebSocket;
  /** By which the client names the operation. */
  id: string;
  operation: Operation;
}

/**
 * The socket is closed with this code when its client reads too slowly; after its last cursor it can go on. Named after 1013 (try again
 * later), which libraries may give for reasons of their own.
 */
export const SLOW_CONSUMER_CODE = 4013;

/**
 * For graphql-ws: a stream that stays silent, and ends when there is nothing more to tell. The events are written to the socket beside it,
 * since graphql-ws would serialise each of them once more for each client.
 */
export async function subscribeOverSocket(
  streams: Streams,
  { socket, id, operation }: SocketSubscription,
): Promise<AsyncGenerator<never, void, void> | ExecutionResult> {
  const line = new SocketLine(socket, id);
  const joined = await streams.join(operation, line);
  if (!('leave' in joined)) return joined;
  line.subscription = joined;
  return silence(line, joined);
}

class SocketLine implements Line {
  subscription: Subscription | undefined;
  readonly over = Promise.withResolvers<void>();
  readonly #socket: WebSocket;
  readonly #head: string;

  constructor(socket: WebSocket, id: string) {
    this.#socket = socket;
    this.#head = `{"id":${JSON.stringify(id)},"type":"next","payload":`;
  }

  get waiting(): number {
    return this.#socket.bufferedAmount;
  }

  send(text: string, taken?: () => void): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(`${this.#head}${text}}`, taken);
  }

  end(): void {
    this.over.resolve();
  }

  cut(): void {
    this.#socket.close(SLOW_CONSUMER_CODE, 'SLOW_CONSUMER: resume after the last cursor');
    this.subscription?.leave();
  }
}

/** Begins when it is asked for its first value: not before does graphql-ws know the operation by its id. */
function silence({ over }: SocketLine, { start, leave }: Subscription): AsyncGenerator<never, void, void> {
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
