import { Problem } from '#shared/base/errors.ts';
import { isIncremental, type Engine } from '../engine/types.ts';
import { partsOf } from '../engine/results.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { Session } from '../plugins/use-viewer.ts';
import type { ValidatedRequest } from '../http/request-params.ts';
import type { Sink } from './send-queue.ts';
import type { Streams } from './stream-registry.ts';
import type { SessionWatch } from '../http/session-watch.ts';

/** A sink that can end with an error. */
export interface ClosableSink extends Sink {
  /** Sends the reason to the client and ends the stream. */
  fail(reason: Error): void;
  /** Calls back when nothing can be written any more, whichever side ended the stream. */
  closed(act: () => void): void;
}

export interface StreamResponseOptions {
  streams: Streams;
  errors: UseErrors;
  sessionWatch: SessionWatch;
}

interface StreamedRequest extends ValidatedRequest {
  engine: Engine;
  session: Session;
}

/** Writes the response to any kind of operation into a sink, and ends it. Never rejects. */
export async function streamResponse(sink: ClosableSink, streamed: StreamedRequest, options: StreamResponseOptions): Promise<void> {
  try {
    await (streamed.kind === 'subscription' ? stream(sink, streamed, options) : sendOnce(sink, streamed, options));
  } catch (error) {
    sink.fail(error as Error);
  }
}

/** Fails the sink when its session ends. */
export function closeWithSession(session: Session, sink: Pick<ClosableSink, 'fail' | 'closed'>, sessionWatch: SessionWatch): void {
  sink.closed(sessionWatch.watch(session, (reason) => sink.fail(new Problem('UNAUTHENTICATED', `${reason}.`))));
}

async function stream(sink: ClosableSink, { operation, session }: StreamedRequest, options: StreamResponseOptions): Promise<void> {
  const { streams, errors, sessionWatch } = options;
  closeWithSession(session, sink, sessionWatch);
  const joined = await streams.join(operation, sink);
  if ('leave' in joined) {
    sink.closed(() => joined.leave());
    joined.start();
  } else {
    sink.send(JSON.stringify(errors.formatResult(joined, operation.correlationId)));
    sink.end();
  }
}

async function sendOnce(sink: ClosableSink, { engine, operation }: StreamedRequest, { errors }: StreamResponseOptions): Promise<void> {
  const leaving = new AbortController();
  let isDone = false;
  sink.closed(() => isDone || leaving.abort());
  const result = await engine.execute({ ...operation, signal: leaving.signal });
  const results = isIncremental(result) ? partsOf(result) : [result];
  for await (const each of results) sink.send(JSON.stringify(errors.formatResult(each, operation.correlationId)));
  isDone = true;
  sink.end();
}
