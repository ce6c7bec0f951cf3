import type { AnyContext } from './context.ts';
import { jobTopic } from './job-events.ts';
import { topicStream } from './topic-stream.ts';

interface RunStreamOptions<C extends AnyContext> {
  /** Throws when the viewer may not see this run. Asked again for each event. */
  authorize(ctx: C, id: string): Promise<void>;
  /** The payload's fields besides the cursor. */
  resolve(ctx: C, id: string): object;
}

/**
 * A subscription `(id, after)` to one run of a long job: its start, each progress that it reports, its end. Its events tell that something has
 * changed; what it is now is read when an event is resolved.
 */
export const runStream = <C extends AnyContext>({ authorize, resolve }: RunStreamOptions<C>) =>
  topicStream<C, { id: string }, { runId: string }, void>({
    topic: (_ctx, { id }) => jobTopic(id),
    authorize: (ctx, { id }) => authorize(ctx, id),
    resolve: ({ data: { runId } }, ctx) => resolve(ctx, runId),
  });
