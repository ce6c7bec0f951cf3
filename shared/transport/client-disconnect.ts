import type { ServerResponse } from 'node:http';

/** A signal that fires when the response is closed before its end, since the client has disconnected. */
export function disconnectSignal(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.closed) controller.abort();
  else response.once('close', () => response.writableFinished || controller.abort());
  return controller.signal;
}
