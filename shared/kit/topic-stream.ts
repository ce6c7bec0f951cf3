import { filterStream } from '../base/filter-stream.ts';
import type { AnyContext } from './context.ts';
import type { Envelope } from './define-event.ts';
import type { LiveEntry } from '../live/subscription.ts';

interface StreamArguments {
  after?: string | null;
}

interface StreamOptions<C extends AnyContext, A, T, H> {
  topic(ctx: C, args: A): string;
  /**
   * What the viewer may hear, as of now; throws when that is nothing. Asked before the stream begins and again for each event, with fresh
   * loaders: whoever lost a right meanwhile is told the refusal in place of the event, and the stream ends.
   */
  authorize(ctx: C, args: A): H | Promise<H>;
  /** Whether an event is part of what the viewer may hear. Default: all are. */
  includes?(envelope: Envelope<T>, heard: H): boolean;
  resolve(envelope: Envelope<T>, ctx: C): object;
}

const authorized = new WeakSet<object>();

/** True for the `subscribe` of a stream that was made by `topicStream`: a contract test holds that there is no other. */
export const isAuthorizedPerEvent = (subscribe: object): boolean => authorized.has(subscribe);

/** A subscription to a live topic, resumable by `after`. Its loaders live for one event, so that each is told as of its own moment. */
export function topicStream<C extends AnyContext, A, T, H>(options: StreamOptions<C, A, T, H>) {
  const { topic, authorize, includes = () => true, resolve } = options;
  async function subscribe(_root: unknown, args: A & StreamArguments, ctx: C) {
    await authorize(ctx, args);
    const source = ctx.live.subscribe<Envelope<T>>(topic(ctx, args), { after: args.after });
    return filterStream(source, async ({ payload }) => {
      ctx.clearLoaders();
      return includes(payload, await authorize(ctx, args));
    });
  }
  authorized.add(subscribe);
  return {
    subscribe,
    resolve: ({ cursor, payload }: LiveEntry<Envelope<T>>, _args: unknown, ctx: C) => ({ cursor, ...resolve(payload, ctx) }),
  };
}
