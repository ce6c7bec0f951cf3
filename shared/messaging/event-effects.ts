import type { Connection } from 'mongoose';
import type { AnyContext } from '../kit/context.ts';
import { Problem } from '../base/errors.ts';
import type { Envelope, EventHandler } from '../kit/define-event.ts';
import { createIndexes } from '../store/indexes.ts';
import { isDuplicateKey } from '../store/mongo.ts';

interface InboxRow {
  _id: string;
  at: Date;
}

/** The newest event of a type and key that a consumer has handled, for handlers that want no older one. */
interface NewestRow {
  _id: string;
  sequence: number;
  at: Date;
}

/** An outbox keeps an event that is acknowledged for 7 days, so none comes again after this long. */
const KEPT_SECONDS = 30 * 24 * 3_600;

export const inboxOf = (db: Connection) => db.collection<InboxRow>('inbox');
const newestOf = (db: Connection) => db.collection<NewestRow>('newestEvents');

export async function createInbox(db: Connection): Promise<void> {
  for (const collection of ['inbox', 'newestEvents'])
    await createIndexes(db, collection, [{ key: { at: 1 }, name: 'at', expireAfterSeconds: KEPT_SECONDS }]);
}

/** Gives an event its effect once per consumer, however often it is delivered: one transaction with its row in the inbox. */
export async function applyOnce(ctx: AnyContext, envelope: Envelope, handlers: readonly EventHandler[], consumer: string): Promise<void> {
  // During a deploy another process may subscribe to it.
  if (handlers.length === 0)
    throw new Problem('UNKNOWN_EVENT', `Nothing here subscribes to ${envelope.type} version ${envelope.version}.`, { retryable: true });
  const repeatable = handlers.filter(({ idempotent, ordering }) => idempotent && ordering !== 'NEWEST_WINS');
  if (repeatable.length === handlers.length) {
    for (const handler of handlers) await handler.run(ctx, envelope.data, envelope);
    return;
  }
  // A second queue of this subgraph may carry the same event, so the key names both.
  const _id = `${consumer} ${envelope.id}`;
  const inbox = inboxOf(ctx.db);
  try {
    await ctx.transaction(async (inner) => {
      await inbox.insertOne({ _id, at: new Date() }, { session: inner.session! });
      const isNewest = handlers.some(({ ordering }) => ordering === 'NEWEST_WINS')
        ? await takeNewest(inner, [envelope], consumer)
        : [envelope];
      for (const handler of handlers)
        if (handler.ordering !== 'NEWEST_WINS' || isNewest.length > 0) await handler.run(inner, envelope.data, envelope);
    });
  } catch (error) {
    // A duplicate of the inbox row means that the event was handled before. A duplicate key in the handler is a failure.
    if (!isDuplicateKey(error) || !(await inbox.findOne({ _id }))) throw error;
  }
}

/** The same for a batch. Events of one key are in the order of their sequence. */
export async function applyBatchOnce(
  ctx: AnyContext,
  envelopes: readonly Envelope[],
  { consumerOf, newestOnly, run }: { consumerOf: (envelope: Envelope) => string; newestOnly: boolean; run: EventBatch },
): Promise<void> {
  const inbox = inboxOf(ctx.db);
  await ctx.transaction(async (inner) => {
    const session = inner.session!;
    const idOf = (envelope: Envelope): string => `${consumerOf(envelope)} ${envelope.id}`;
    const handled = await inbox.find({ _id: { $in: envelopes.map(idOf) } }, { session, projection: { _id: 1 } }).toArray();
    const known = new Set(handled.map(({ _id }) => _id));
    const fresh = inSequence(envelopes.filter((envelope) => !known.has(idOf(envelope))));
    if (fresh.length === 0) return;
    await inbox.insertMany(
      fresh.map((envelope) => ({ _id: idOf(envelope), at: new Date() })),
      { session },
    );
    const wanted = newestOnly ? await takeNewest(inner, fresh, consumerOf(fresh[0]!)) : fresh;
    if (wanted.length > 0) await run(inner, wanted);
  });
}

export type EventBatch = (ctx: AnyContext, envelopes: readonly Envelope[]) => Promise<unknown>;

const inSequence = (envelopes: Envelope[]): Envelope[] => envelopes.sort((a, b) => (a.sequence ?? 0) - (b.sequence ?? 0));

/** Of each type and key the newest event, unless a newer one was handled. Events without a key are all wanted. */
async function takeNewest(ctx: AnyContext, envelopes: readonly Envelope[], consumer: string): Promise<Envelope[]> {
  const session = ctx.session!;
  const newest = new Map<string, Envelope>();
  for (const envelope of envelopes) {
    if (envelope.key === undefined) newest.set(envelope.id, envelope);
    else {
      const id = `${consumer} ${envelope.type} ${envelope.key}`;
      if ((newest.get(id)?.sequence ?? -1) < envelope.sequence!) newest.set(id, envelope);
    }
  }
  const rows = await newestOf(ctx.db)
    .find({ _id: { $in: [...newest.keys()] } }, { session })
    .toArray();
  for (const { _id, sequence } of rows) if (sequence >= newest.get(_id)!.sequence!) newest.delete(_id);
  const keyed = [...newest].filter(([, { key }]) => key !== undefined);
  if (keyed.length > 0) {
    const writes = keyed.map(([_id, { sequence }]) => ({
      updateOne: { filter: { _id }, update: { $set: { sequence: sequence!, at: new Date() } }, upsert: true },
    }));
    await newestOf(ctx.db).bulkWrite(writes, { session });
  }
  return [...newest.values()];
}
