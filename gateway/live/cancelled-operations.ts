import type { WebSocket } from 'ws';

/** Someone who waits for the answer to one operation over a socket. */
interface Waiting {
  /** Aborted when the client completes the operation before its answer, or leaves. */
  signal: AbortSignal;
  /** There is nothing more to wait for. */
  over: () => void;
}

/** Who waits on which socket. graphql-ws itself says that a client has gone only when there is something to tell it. */
export function watchDepartures(): (socket: WebSocket, id: string) => Waiting {
  const sockets = new WeakMap<WebSocket, Map<string, AbortController>>();

  function watch(socket: WebSocket): Map<string, AbortController> {
    const waiting = new Map<string, AbortController>();
    socket.on('message', (data) => {
      if (waiting.size === 0) return;
      const id = completedBy((data as Buffer).toString());
      if (id !== undefined) waiting.get(id)?.abort();
    });
    socket.once('close', () => waiting.forEach((each) => each.abort()));
    sockets.set(socket, waiting);
    return waiting;
  }

  return (socket, id) => {
    const controller = new AbortController();
    const waiting = sockets.get(socket) ?? watch(socket);
    waiting.set(id, controller);
    const over = (): void => {
      // A client may use its id again.
      if (waiting.get(id) === controller) waiting.delete(id);
    };
    return { signal: controller.signal, over };
  };
}

/** The operation that a message puts an end to. */
function completedBy(text: string): string | undefined {
  if (!text.includes('"complete"')) return undefined;
  try {
    const { type, id } = JSON.parse(text) as { type?: unknown; id?: unknown };
    return type === 'complete' && typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}
