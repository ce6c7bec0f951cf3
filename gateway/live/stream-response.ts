import { Problem } from '#shared/base/errors.ts';
import { isIncremental, type Engine } from '../engine/types.ts';
import { partsOf } from '../engine/results.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { Session } from '../plugins/use-viewer.ts';
import type { Admitted } from '../http/request-params.ts';
import type { Line } from './send-queue.ts';
import type { Streams } from './stream-registry.ts';
import type { WatchedSessions } from '../http/session-watch.ts';

/** A line that somebody may close. */
export interface ClosableLine extends Line {
  /** Tells the client why the stream ends, and ends it. */
  fail(reason: Error): void;
  /** Calls back once nothing can be written any more, whoever ended it. */
  closed(act: () => void): void;
}

export interface AnswerOptions {
  streams: Streams;
  errors: UseErrors;
  watched: WatchedSessions;
}

interface Asking extends Admitted {
  engine: Engine;
  session: Session;
}

/** Answers an operation of any kind over a line, which ends with it. Never rejects. */
export async function answerOver(line: ClosableLine, asking: Asking, options: AnswerOptions): Promise<void> {
  try {
    await (asking.kind === 'subscription' ? stream(line, asking, options) : answerOnce(line, asking, options));
  } catch (error) {
    line.fail(error as Error);
  }
}

/** The line fails when its session is over. */
export function endWith(session: Session, line: Pick<ClosableLine, 'fail' | 'closed'>, watched: WatchedSessions): void {
  line.closed(watched.watch(session, (reason) => line.fail(new Problem('UNAUTHENTICATED', `${reason}.`))));
}

async function stream(line: ClosableLine, { operation, session }: Asking, options: AnswerOptions): Promise<void> {
  const { streams, errors, watched } = options;
  endWith(session, line, watched);
  const joined = await streams.join(operation, line);
  if ('leave' in joined) {
    line.closed(() => joined.leave());
    joined.start();
  } else {
    line.send(JSON.stringify(errors.formatResult(joined, operation.correlationId)));
    line.end();
  }
}

async function answerOnce(line: ClosableLine, { engine, operation }: Asking, { errors }: AnswerOptions): Promise<void> {
  const leaving = new AbortController();
  let isDone = false;
  line.closed(() => isDone || leaving.abort());
  const result = await engine.execute({ ...operation, signal: leaving.signal });
  const results = isIncremental(result) ? partsOf(result) : [result];
  for await (const each of results) line.send(JSON.stringify(errors.formatResult(each, operation.correlationId)));
  isDone = true;
  line.end();
}
