import { Readable } from 'node:stream';
import type { z } from 'zod';
import { maskError, Problem } from '../base/errors.ts';
import type { LiveEntry, LiveSubscription } from '../live/subscription.ts';
import type { AnyContext } from './context.ts';
import type { Envelope } from './define-event.ts';
import { routeArguments, type Route } from './define-route.ts';
import { authorize, type Rule } from './permissions.ts';

/** An event as a client gets it: name and data. */
export interface StreamedEvent {
  event: string;
  data: unknown;
}

interface EventStreamOptions<C extends AnyContext, A> {
  description: string;
  /** Asked at the start and again for each event: whoever lost the right meanwhile gets the refusal in place of the event. */
  auth: Rule;
  /** Checks the parameters of path and query. Default: those of the path as they are. */
  input?: z.ZodType<A>;
  /** Live topics, in an order that stays: the event id names a cursor of each. */
  topics(ctx: C, args: A): string[];
  /** What the client gets of an event; null leaves it out. Default: its type and its data. */
  resolve?(envelope: Envelope, ctx: C): StreamedEvent | null | Promise<StreamedEvent | null>;
  /** Default 10,000. */
  heartbeatMs?: number;
}

const HEARTBEAT_MS = 10_000;
const RECONNECT_MS = 2_000;
const MAX_TOPICS = 20;
const HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  // Keeps proxies from buffering events.
  'x-accel-buffering': 'no',
};

const plain = ({ type, data }: Envelope): StreamedEvent => ({ event: type, data });

/**
 * Server-sent events of live topics at `/api/v1/...`. The event id holds the cursor of each topic, so a client that sends it back as
 * `Last-Event-ID` misses nothing. A client that reads slowly is waited for until 1,000 events wait; then it gets SLOW_CONSUMER and reconnects.
 * The event `problem` ends a stream: it holds `errors` as GraphQL has them.
 */
export function eventStream<C extends AnyContext, A = Record<string, string>>(path: string, options: EventStreamOptions<C, A>): Route<C> {
  const { description, auth, input, topics } = options;
  return {
    kind: 'eventStream',
    method: 'GET',
    path,
    description,
    caller: 'VIEWER',
    maxBytes: 0,
    buffersBody: false,
    isAdmitted: false,
    async handle(ctx, asked) {
      const args = routeArguments(input, asked);
      const mayHear = (): Promise<void> => authorize(auth, ctx, args as object);
      await mayHear();
      const names = topics(ctx, args);
      if (names.length === 0 || names.length > MAX_TOPICS) throw new TypeError(`An event stream has 1 to ${MAX_TOPICS} topics`);
      const after = cursorsIn(asked.headers['last-event-id'] ?? asked.query['lastEventId'], names.length);
      const sources = names.map((name, index) => ctx.live.subscribe<Envelope>(name, { after: after?.[index], signal: asked.signal }));
      const cursors = await positionsOf(sources);
      return {
        status: 200,
        headers: HEADERS,
        body: Readable.from(written(ctx, { sources, cursors, mayHear, ...options }), { objectMode: false }),
      };
    },
    handlers: [],
  };
}

interface Stream<C extends AnyContext> extends Pick<EventStreamOptions<C, never>, 'resolve' | 'heartbeatMs'> {
  sources: LiveSubscription<Envelope>[];
  cursors: string[];
  mayHear: () => Promise<void>;
}

/** The text of the stream. The client sets the pace: the next event is asked for when the last one was taken. */
async function* written<C extends AnyContext>(ctx: C, stream: Stream<C>): AsyncGenerator<string> {
  const { sources, cursors, mayHear, resolve = plain, heartbeatMs = HEARTBEAT_MS } = stream;
  const entries = merged(sources);
  try {
    // An id without data is no event, yet the client resumes after it.
    yield `retry: ${RECONNECT_MS}\nid: ${cursors.join(',')}\n\n`;
    for (;;) {
      const next = await entries.take(heartbeatMs);
      if (next === 'ended') return;
      if (next === 'idle') {
        yield ':\n\n';
        continue;
      }
      cursors[next.index] = next.entry.cursor;
      ctx.clearLoaders();
      await mayHear();
      const told = await resolve(next.entry.payload, ctx);
      yield told
        ? `id: ${cursors.join(',')}\nevent: ${told.event}\ndata: ${JSON.stringify(told.data)}\n\n`
        : `id: ${cursors.join(',')}\n\n`;
    }
  } catch (error) {
    const { message, extensions } = maskError(error, { correlationId: ctx.correlationId, log: ctx.log });
    yield `event: problem\ndata: ${JSON.stringify({ errors: [{ message, extensions }] })}\n\n`;
  } finally {
    for (const source of sources) void source.return();
  }
}

type Taken = { index: number; entry: LiveEntry<Envelope> } | 'idle' | 'ended';

/** The entries of several subscriptions as they come; each is asked for its next entry when the last one was taken. */
function merged(sources: readonly LiveSubscription<Envelope>[]): { take(waitMs: number): Promise<Taken> } {
  const ready: { index: number; result: IteratorResult<LiveEntry<Envelope>> }[] = [];
  let failure: { error: unknown } | undefined;
  let wake = (): void => undefined;
  const ask = (index: number): void => {
    const asked = sources[index]!.next();
    void asked
      .then(
        (result) => void ready.push({ index, result }),
        (error: unknown) => void (failure = { error }),
      )
      .then(() => wake());
  };
  for (const index of sources.keys()) ask(index);

  return {
    async take(waitMs) {
      if (ready.length === 0 && !failure) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, waitMs);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
      }
      if (failure) throw failure.error;
      const first = ready.shift();
      if (!first) return 'idle';
      if (first.result.done) return 'ended';
      ask(first.index);
      return { index: first.index, entry: first.result.value };
    },
  };
}

/** Where each subscription begins. Rejects with what ended one of them before, and ends the others. */
async function positionsOf(sources: readonly LiveSubscription<Envelope>[]): Promise<string[]> {
  try {
    return await Promise.all(
      sources.map(async (source) => {
        const position = await source.position();
        if (position === undefined) await source.next();
        if (position === undefined) throw new Problem('UNAVAILABLE', 'The stream has ended. Connect again.', { retryable: true });
        return position;
      }),
    );
  } catch (error) {
    for (const source of sources) void source.return();
    throw error;
  }
}

/** The cursors of a `Last-Event-ID`; undefined when there is none. */
function cursorsIn(id: string | string[] | undefined, topics: number): string[] | undefined {
  if (id === undefined || id === '') return undefined;
  const cursors = String(id).split(',');
  if (cursors.length === topics) return cursors;
  throw new Problem('INVALID_CURSOR', 'This id was not given by this stream. Connect without it.', { path: ['lastEventId'] });
}
