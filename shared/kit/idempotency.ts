import { createHash, createHmac } from 'node:crypto';
import mongoose, { type Connection } from 'mongoose';
import type { AnyContext } from './context.ts';
import { env } from '../base/env.ts';
import { isProblem, Problem } from '../base/errors.ts';
import { asOwner, hasLeft } from '../store/lease-holder.ts';
import { createIndexes, isDuplicateKey } from '../store/mongo.ts';
import { createVault } from '../base/encryption.ts';

/** The memory of one request: who holds it while it runs, and its answer afterwards. */
interface IdempotencyRow {
  _id: string;
  inputHash: string;
  state: 'IN_FLIGHT' | 'DONE';
  owner: string;
  lockedUntil: Date;
  /** Sealed: an answer may hold a secret that is stored as a hash everywhere else, or an address. */
  answer?: string;
  at: Date;
}

const { BSON } = mongoose.mongo;

const KEPT_SECONDS = 24 * 3_600;
/** A runner that has not finished by then has died: whole requests end after 30 s. On its own machine that is seen at once. */
const LOCK_MS = 45_000;

export const idempotencyOf = (db: Connection) => db.collection<IdempotencyRow>('idempotency');

export async function createIdempotency(db: Connection): Promise<void> {
  await createIndexes(db, 'idempotency', [{ key: { at: 1 }, name: 'at', expireAfterSeconds: KEPT_SECONDS }]);
}

interface Request<T> {
  /** Principal and operation: the same key of another caller, or of another operation, is another request. */
  scope: string;
  key: string;
  input: unknown;
  /** True: `work` runs inside one transaction, together with the memory of its answer. False: it must be safe to repeat by `requestKey`. */
  transaction: boolean;
  work(ctx: AnyContext): Promise<T>;
  /** An answer that is not final is not kept. */
  isFinal?: ((answer: T) => boolean) | undefined;
}

/**
 * Runs a request until it succeeds once for each key. From then on, for 24 hours, the same key and input answer again what was answered, and
 * other input is IDEMPOTENCY_KEY_REUSED. A refusal changed nothing and may depend on more than the input, so it is not remembered: the key is
 * free again. A request that is still running is IDEMPOTENCY_IN_FLIGHT, which may be sent again.
 */
export const once = <T>(ctx: AnyContext, request: Request<T>): Promise<T> => asOwner((owner) => runOnce(ctx, request, owner));

async function runOnce<T>(ctx: AnyContext, request: Request<T>, owner: string): Promise<T> {
  const rows = idempotencyOf(ctx.db);
  const _id = createHash('sha256').update(`${request.scope}\n${request.key}`).digest('base64url');
  const inputHash = hashOf(request.input);
  const known = await claim(ctx.db, { _id, owner, inputHash });
  if (known) return opened<T>(known);

  const finish = async (inner: AnyContext, answer: T): Promise<void> => {
    const options = inner.session ? { session: inner.session } : {};
    const { matchedCount } = await rows.updateOne({ _id, owner }, { $set: { answer: sealed(answer), state: 'DONE' } }, options);
    // Somebody took over after the lock ran out: what this runner did must not be kept.
    if (matchedCount === 0) throw inFlight();
  };
  const forget = (): Promise<unknown> => rows.deleteOne({ _id, owner, state: 'IN_FLIGHT' }).catch(() => undefined);
  const run = async (inner: AnyContext): Promise<T> => {
    const answer = await request.work(inner);
    if (request.isFinal?.(answer) ?? true) await finish(inner, answer);
    else await forget();
    return answer;
  };

  const keyed = withRequest(ctx, _id, inputHash);
  try {
    return request.transaction ? await keyed.transaction(run) : await run(keyed);
  } catch (error) {
    const forgotten = forget();
    // Waited for only when the store has just answered. Otherwise it may take long, and who left can be seen to have left.
    if (isProblem(error) && !error.retryable) await forgotten;
    throw error;
  }
}

/** Marks the request as ours, or answers the row of somebody who had it before. */
async function claim(db: Connection, mine: { _id: string; owner: string; inputHash: string }): Promise<IdempotencyRow | undefined> {
  const rows = idempotencyOf(db);
  const now = new Date();
  const lockedUntil = new Date(now.getTime() + LOCK_MS);
  try {
    await rows.insertOne({ ...mine, state: 'IN_FLIGHT', lockedUntil, at: now });
    return undefined;
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
  }
  const row = await rows.findOne({ _id: mine._id });
  if (row && row.inputHash !== mine.inputHash) throw keyReused();
  if (row?.state === 'DONE') return row;
  const isFree = row && hasLeft(row.owner) ? { owner: row.owner } : { lockedUntil: { $lte: now } };
  const taken = await rows.updateOne({ _id: mine._id, state: 'IN_FLIGHT', ...isFree }, { $set: { owner: mine.owner, lockedUntil } });
  if (taken.modifiedCount === 0) throw inFlight();
  return undefined;
}

const vault = () => createVault('idempotency', env.INTERNAL_SECRET);

/** As BSON, so that what was stored in the store itself comes back with the same types. */
const sealed = (answer: unknown): string =>
  vault().seal(Buffer.from(BSON.serialize({ answer }, { ignoreUndefined: false })).toString('base64'));

/** Rows of builds before 2026-11-29 hold the answer itself; they live for a day. */
const opened = <T>({ answer }: { answer?: unknown }): T =>
  (typeof answer === 'string' ? BSON.deserialize(Buffer.from(vault().open(answer), 'base64'))['answer'] : answer) as T;

/** For actions that know of a key longer than its row is kept. */
export const keyReused = (): Problem =>
  new Problem('IDEMPOTENCY_KEY_REUSED', 'This idempotency key was used with other input.', { path: ['input', 'idempotencyKey'] });

const inFlight = (): Problem =>
  new Problem('IDEMPOTENCY_IN_FLIGHT', 'The same request is still running.', { path: ['input', 'idempotencyKey'], retryable: true });

const withRequest = (ctx: AnyContext, requestKey: string, requestHash: string): AnyContext =>
  Object.create(ctx, { requestKey: { value: requestKey }, requestHash: { value: requestHash } }) as AnyContext;

/**
 * Object keys in one order, so that the same input written differently is the same input. Keyed: an input may hold a password, and a plain
 * fast hash of it, kept for a day, would undo all the care its owner takes.
 */
function hashOf(input: unknown): string {
  const stable = JSON.stringify(input, (_key, value: unknown) =>
    value !== null && typeof value === 'object' && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  );
  return createHmac('sha256', env.INTERNAL_SECRET)
    .update(stable ?? '')
    .digest('base64url');
}
