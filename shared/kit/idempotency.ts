import { createHash, createHmac } from 'node:crypto';
import mongoose, { type Connection } from 'mongoose';
import type { AnyContext } from './context.ts';
import { env } from '../base/env.ts';
import { isProblem, Problem } from '../base/errors.ts';
import { withHolder, isReleased } from '../store/lease-holder.ts';
import { createIndexes } from '../store/indexes.ts';
import { isDuplicateKey } from '../store/mongo.ts';
import { dataCipher } from '../base/data-keys.ts';

/** One request with an idempotency key: its holder while it runs, its response afterwards. */
interface IdempotencyRow {
  _id: string;
  inputHash: string;
  state: 'IN_FLIGHT' | 'DONE';
  owner: string;
  lockedUntil: Date;
  /** Encrypted: a response may hold an address, or a secret that is stored as a hash everywhere else. */
  answer?: string;
  at: Date;
}

const { BSON } = mongoose.mongo;

const KEPT_SECONDS = 24 * 3_600;
/** A holder that has not finished by then is dead: whole requests end after 30 s. On the same machine its death is seen at once. */
const LOCK_MS = 45_000;

export const idempotencyOf = (db: Connection) => db.collection<IdempotencyRow>('idempotency');

export async function createIdempotency(db: Connection): Promise<void> {
  await createIndexes(db, 'idempotency', [{ key: { at: 1 }, name: 'at', expireAfterSeconds: KEPT_SECONDS }]);
}

interface Request<T> {
  /** Principal and operation: the same key of another principal or operation is another request. */
  scope: string;
  key: string;
  input: unknown;
  /** True: `work` runs in one transaction with the row of its response. False: `work` must be safe to repeat by `requestKey`. */
  transaction: boolean;
  work(ctx: AnyContext): Promise<T>;
  /** A response that is not final is not stored. */
  isFinal?: ((answer: T) => boolean) | undefined;
}

/**
 * Runs a request until it succeeds once per key. For 24 hours the same key and input then return the first response, and other input is
 * IDEMPOTENCY_KEY_REUSED. A refusal is not stored and frees the key: it changed nothing and may depend on more than the input. A request that
 * is still running is IDEMPOTENCY_IN_FLIGHT, which the client may send again.
 */
export const runIdempotently = <T>(ctx: AnyContext, request: Request<T>): Promise<T> =>
  withHolder((holder) => runWithHolder(ctx, request, holder));

async function runWithHolder<T>(ctx: AnyContext, request: Request<T>, holder: string): Promise<T> {
  const rows = idempotencyOf(ctx.db);
  const _id = createHash('sha256').update(`${request.scope}\n${request.key}`).digest('base64url');
  const inputHash = hashOf(request.input);
  const known = await claimKey(ctx.db, { _id, owner: holder, inputHash });
  if (known) return decryptAnswer<T>(known);

  const finish = async (inner: AnyContext, answer: T): Promise<void> => {
    const options = inner.session ? { session: inner.session } : {};
    const { matchedCount } = await rows.updateOne(
      { _id, owner: holder },
      { $set: { answer: encryptAnswer(answer), state: 'DONE' } },
      options,
    );
    // Another holder took over after the lock ran out: the work of this one must not be stored.
    if (matchedCount === 0) throw inFlight();
  };
  const forget = (): Promise<unknown> => rows.deleteOne({ _id, owner: holder, state: 'IN_FLIGHT' }).catch(() => undefined);
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
    // Awaited only when the store has just responded: otherwise it may take long, and a released holder frees the key anyway.
    if (isProblem(error) && !error.retryable) await forgotten;
    throw error;
  }
}

/** Claims the key for this holder, or returns the row of a finished request. */
async function claimKey(db: Connection, mine: { _id: string; owner: string; inputHash: string }): Promise<IdempotencyRow | undefined> {
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
  const isFree = row && isReleased(row.owner) ? { owner: row.owner } : { lockedUntil: { $lte: now } };
  const taken = await rows.updateOne({ _id: mine._id, state: 'IN_FLIGHT', ...isFree }, { $set: { owner: mine.owner, lockedUntil } });
  if (taken.modifiedCount === 0) throw inFlight();
  return undefined;
}

const cipher = () => dataCipher('idempotency');

/** As BSON, so that stored values come back with the same types. */
const encryptAnswer = (answer: unknown): string =>
  cipher().encrypt(Buffer.from(BSON.serialize({ answer }, { ignoreUndefined: false })).toString('base64'));

/** Rows of builds before 2026-11-29 hold the response in plain text; they live for a day. */
const decryptAnswer = <T>({ answer }: { answer?: unknown }): T =>
  (typeof answer === 'string' ? BSON.deserialize(Buffer.from(cipher().decrypt(answer), 'base64'))['answer'] : answer) as T;

/** For actions that remember a key longer than its row lives. */
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
