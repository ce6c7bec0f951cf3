import type { ServerResponse } from 'node:http';

/** Aborted when the response is closed before its end: its client has gone. */
export function clientOfResponse(response: ServerResponse): AbortSignal {
  const controller = new AbortController();
  if (response.closed) controller.abort();
  else response.once('close', () => response.writableFinished || controller.abort());
  return controller.signal;
}
