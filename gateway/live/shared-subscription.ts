import type { Listener } from './send-queue.ts';
import { Stream, type StreamOptions } from './stream.ts';
import type { Topic } from './topics.ts';

interface SharedSubscriptionOptions extends Omit<StreamOptions, 'topic' | 'onMove' | 'onEnd'> {
  onStream: (by: 1 | -1) => void;
  onEmpty: () => void;
}

/**
 * Equal subscriptions. Live subscribers share one stream. A subscriber with a cursor joins a stream at that cursor, or gets its own until
 * both reach the same cursor; then they merge.
 */
export class SharedSubscription {
  readonly #options: SharedSubscriptionOptions;
  readonly #streams = new Set<Stream>();
  /** The stream that began without a cursor; subscribers without a cursor join it. */
  #live: Stream | undefined;

  constructor(options: SharedSubscriptionOptions) {
    this.#options = options;
  }

  get streams(): Iterable<Stream> {
    return this.#streams;
  }

  join(listener: Listener, topic: Topic): Stream {
    const stream = topic.after === undefined ? this.#live : this.#standingAt(topic.after);
    if (!stream) return this.#open(listener, topic);
    stream.listeners.add(listener);
    return stream;
  }

  leave(listener: Listener): void {
    for (const stream of this.#streams) {
      if (stream.listeners.delete(listener) && stream.listeners.size === 0) this.#drop(stream);
    }
  }

  #open(listener: Listener, topic: Topic): Stream {
    const onMove = (moved: Stream): void => this.#level(moved);
    const onEnd = (ended: Stream): void => this.#forget(ended);
    const stream = new Stream({ ...this.#options, topic, onMove, onEnd }, listener);
    this.#streams.add(stream);
    this.#options.onStream(1);
    if (topic.after === undefined) this.#live = stream;
    return stream;
  }

  #standingAt(cursor: string, except?: Stream): Stream | undefined {
    for (const stream of this.#streams) if (stream.cursor === cursor && stream !== except) return stream;
    return undefined;
  }

  /** Merges two streams at the same cursor: they would deliver the same events. */
  #level(stream: Stream): void {
    const other = this.#standingAt(stream.cursor!, stream);
    if (!other) return;
    const [kept, left] = stream === this.#live ? [stream, other] : [other, stream];
    for (const listener of left.listeners) kept.listeners.add(listener);
    left.listeners.clear();
    this.#drop(left);
  }

  #drop(stream: Stream): void {
    stream.close();
    this.#forget(stream);
  }

  #forget(stream: Stream): void {
    if (!this.#streams.delete(stream)) return;
    this.#options.onStream(-1);
    if (this.#live === stream) this.#live = undefined;
    if (this.#streams.size === 0) this.#options.onEmpty();
  }
}
