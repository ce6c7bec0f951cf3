import { createHash } from 'node:crypto';
import type { Connection } from 'mongoose';
import { z } from 'zod';
import { isProblem, Problem } from '../base/errors.ts';
import { createIndexes } from '../store/indexes.ts';
import { isDuplicateKey } from '../store/mongo.ts';
import type { AnyContext } from './context.ts';
import { defineJob, handleJob } from './define-job.ts';
import type { Route, RouteInput } from './define-route.ts';
import type { RouteResponse } from './transport.ts';

/** What a third party sent, with the body as its bytes came: signatures are made over those. */
export type WebhookRequest = Pick<RouteInput, 'params' | 'query' | 'url' | 'headers'> & { body: Buffer };

interface WebhookOptions<C extends AnyContext, T> {
  description: string;
  /** Maximum size of the body. Default 64,000. */
  maxBytes?: number;
  /**
   * The event inside a request that the third party has signed, as JSON can hold it; null for one that is of no interest. Whatever it throws is
   * answered 401 without a reason, a retryable `Problem` 503, so that the third party sends it again. Compare in constant time, over the raw
   * body, and refuse old timestamps.
   */
  verify(ctx: C, request: WebhookRequest): T | null | Promise<T | null>;
  /** The event's own id: the third party sends the same event with the same id. */
  key(event: T): string;
}

/** An event that was accepted. */
interface WebhookEventRow {
  _id: string;
  at: Date;
}

const MAX_BYTES = 64_000;
/** Third parties repeat an event for days, at most. */
const KEPT_SECONDS = 30 * 24 * 3_600;
const MAX_KEY_LENGTH = 500;
const OK: RouteResponse = { status: 200, headers: { 'content-type': 'application/json' }, body: '{"received":true}' };

export const webhookEventsOf = (db: Connection) => db.collection<WebhookEventRow>('webhookEvents');

export async function createWebhookEvents(db: Connection): Promise<void> {
  await createIndexes(db, 'webhookEvents', [{ key: { at: 1 }, name: 'at', expireAfterSeconds: KEPT_SECONDS }]);
}

/**
 * Takes events of a third party at `/hooks/<subgraph>/...`, without a viewer. 200 is answered once the event and its job are committed; the action
 * runs from the job, in one transaction, once for each key, with the retries and dead letters of jobs. So a slow action holds up no answer, and
 * an event that was answered is never lost.
 */
export function webhook<T, C extends AnyContext>(
  path: string,
  { description, maxBytes = MAX_BYTES, verify, key }: WebhookOptions<C, T>,
  action: (ctx: C, event: T) => Promise<unknown>,
): Route<C> {
  const [, , owner = ''] = path.split('/');
  const handleEvent = defineJob(jobName(path), {
    queue: `${owner}-webhooks`,
    payload: z.object({ event: z.string() }),
    // Third parties send phone numbers and addresses.
    encrypted: ['event'],
  });

  async function accept(ctx: C, { params }: WebhookRequest, event: T): Promise<void> {
    const rows = webhookEventsOf(ctx.db);
    const _id = rowId([path, params, keyOf(event)]);
    if (await rows.findOne({ _id }, { projection: { _id: 1 } })) return;
    try {
      await ctx.transaction(async (inner) => {
        await rows.insertOne({ _id, at: new Date() }, { session: inner.session! });
        inner.enqueue(handleEvent({ event: JSON.stringify(event) }));
      });
    } catch (error) {
      // Two deliveries at once: the other one has accepted it.
      if (!isDuplicateKey(error) || !(await rows.findOne({ _id }))) throw error;
    }
  }

  function keyOf(event: T): string {
    const made = key(event);
    if (typeof made === 'string' && made !== '' && made.length <= MAX_KEY_LENGTH) return made;
    throw new Error(`The key of an event at ${path} must be a text of 1 to ${MAX_KEY_LENGTH} characters`);
  }

  return {
    kind: 'webhook',
    method: 'POST',
    path,
    description,
    caller: 'ANYONE',
    maxBytes,
    buffersBody: true,
    isAdmitted: true,
    async handle(ctx, { params, query, url, headers, bytes }) {
      const request = { params, query, url, headers, body: bytes };
      const event = await verified(ctx, () => verify(ctx, request));
      if (event !== null) await accept(ctx, request, event);
      return OK;
    },
    handlers: [handleJob(handleEvent, (ctx: C, { event }) => action(ctx, JSON.parse(event) as T))],
  };
}

/** `/hooks/boards/:provider` has the job `webhook-boards-by-provider`. */
const jobName = (path: string): string =>
  `webhook${path.replace('/hooks', '').replaceAll('/:', '/by-')}`.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');

const rowId = (parts: unknown[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64url');

/** The reason of a refusal is for the log: a forger learns nothing. */
async function verified<T>(ctx: AnyContext, verify: () => T | Promise<T>): Promise<T> {
  try {
    return await verify();
  } catch (error) {
    if (isProblem(error) && error.retryable) throw error;
    ctx.log.warn({ err: error }, 'a webhook was refused');
    throw new Problem('UNAUTHENTICATED', 'This request is refused.');
  }
}
