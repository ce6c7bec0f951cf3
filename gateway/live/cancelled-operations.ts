import type { WebSocket } from 'ws';

/** A client that waits for the response to one operation on a socket. */
interface TrackedOperation {
  /** Aborted when the client completes the operation before its response, or disconnects. */
  signal: AbortSignal;
  /** Ends the tracking: the response is complete. */
  over: () => void;
}

/** Tracks operations per socket. graphql-ws itself reports a client disconnect only when it has something to send. */
export function trackCancellations(): (socket: WebSocket, id: string) => TrackedOperation {
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
      // A client may reuse the id of an operation that has ended.
      if (waiting.get(id) === controller) waiting.delete(id);
    };
    return { signal: controller.signal, over };
  };
}

/** The id of the operation that a message completes. */
function completedBy(text: string): string | undefined {
  if (!text.includes('"complete"')) return undefined;
  try {
    const { type, id } = JSON.parse(text) as { type?: unknown; id?: unknown };
    return type === 'complete' && typeof id === 'string' ? id : undefined;
  } catch {
    return undefined;
  }
}
