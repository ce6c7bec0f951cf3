import type { Connection, Model } from 'mongoose';
import { dataCipher } from '../base/data-keys.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { ciphertextFields, encryptValue, type CiphertextField, type Searchable } from '../store/encrypted.ts';

/** Where ciphertexts stand in one collection. */
export interface CiphertextPlace {
  collection: string;
  path: string;
  field: CiphertextField;
  /** The rows that have it. */
  filter: object;
}

export interface RotationCounts {
  /** Encrypted with the current key now; in a dry run: would be. */
  rotated: number;
  /** Were so already. */
  current: number;
  /** Changed while they were read; a further pass looks at them. */
  overtaken: number;
  /** Cannot be decrypted: their key is not in DATA_KEYS, or they were altered. */
  unreadable: number;
  /** The first unreadable one, and why. */
  fault?: string;
}

interface RotationOptions {
  dryRun?: boolean;
  /** Rows that are read at a time. */
  batch?: number;
  /** Told after each batch. */
  onBatch?: () => Promise<void>;
}

const BATCH = 500;
/** A process that still encrypts with an old key would make it endless. */
const MAX_PASSES = 5;

/**
 * Every place of a subgraph's database where ciphertexts are kept for long. Responses under idempotency keys and pages of settings in Redis are
 * not among them: they live for a day.
 */
export function ciphertextPlaces(subgraph: Subgraph, all: readonly Subgraph[], db: Connection): CiphertextPlace[] {
  const models = Object.values(subgraph.models(db) as Record<string, Model<unknown>>);
  const own = models.flatMap(({ schema, collection }) =>
    [...ciphertextFields(schema)].map(([path, field]) => ({ collection: collection.name, path, field, filter: { [path]: { $ne: null } } })),
  );
  // A job is handled in one subgraph and may be enqueued in each.
  const jobs = all.flatMap(({ handlers }) => handlers.flatMap((handler) => (handler.kind === 'job' ? handler.job : [])));
  const payloads = jobs.flatMap(({ type, encrypted }) =>
    encrypted.flatMap((name) => [
      place('jobRuns', `input.${name}`, { job: type }),
      place('outbox', `data.${name}`, { type, isJob: true }),
      place('deadLetters', `envelope.data.${name}`, { 'envelope.type': type }),
    ]),
  );
  return [...own, ...payloads];
}

const place = (collection: string, path: string, filter: object): CiphertextPlace => ({
  collection,
  path,
  field: { cipher: () => dataCipher('events'), searchable: false, prefix: '' },
  filter: { ...filter, [path]: { $ne: null } },
});

/**
 * Encrypts what stands in one place with the current key. A row is written only where its ciphertext is still the one that was read, so a change
 * beside it stays. What is done is seen from the ciphertext itself: after a crash, the next run goes on with the rest.
 */
export async function rotatePlace(db: Connection, where: CiphertextPlace, options: RotationOptions = {}): Promise<RotationCounts> {
  const total: RotationCounts = { rotated: 0, current: 0, overtaken: 0, unreadable: 0 };
  for (let pass = 0; pass < MAX_PASSES; pass += 1) {
    const counts = await onePass(db, where, options);
    total.rotated += counts.rotated;
    Object.assign(total, {
      current: pass === 0 ? counts.current : total.current,
      overtaken: counts.overtaken,
      unreadable: counts.unreadable,
    });
    if (counts.fault) total.fault = counts.fault;
    // The last pass finds nothing: no process has encrypted with another key since the pass before.
    if (options.dryRun || counts.rotated + counts.overtaken === 0) break;
  }
  return total;
}

async function onePass(db: Connection, { collection, path, field, filter }: CiphertextPlace, options: RotationOptions) {
  const rows = db.collection<{ _id: string }>(collection);
  const counts: RotationCounts = { rotated: 0, current: 0, overtaken: 0, unreadable: 0 };
  const { dryRun = false, batch = BATCH, onBatch } = options;
  for (let after = ''; ;) {
    const page = await rows
      .find({ ...filter, _id: { $gt: after } }, { projection: { [path]: 1 }, comment: 'plan: a rotation of keys reads all rows' })
      .sort({ _id: 1 })
      .limit(batch)
      .toArray();
    const changes = page.flatMap((row) => changeOf({ path, field }, row, counts) ?? []);
    if (!dryRun && changes.length > 0) {
      const { matchedCount } = await rows.bulkWrite(changes, { ordered: false });
      counts.overtaken += changes.length - matchedCount;
      counts.rotated += matchedCount;
    } else counts.rotated += changes.length;
    await onBatch?.();
    if (page.length < batch) return counts;
    after = page.at(-1)!._id;
  }
}

function changeOf({ path, field }: Pick<CiphertextPlace, 'path' | 'field'>, row: { _id: string }, counts: RotationCounts) {
  const stored = path.split('.').reduce<unknown>((value, name) => (value as Record<string, unknown> | null)?.[name], row);
  const encrypted = ciphertextOf(field, stored);
  if (encrypted === undefined) return undefined;
  const cipher = field.cipher();
  if (cipher.isCurrent(encrypted)) {
    counts.current += 1;
    return undefined;
  }
  try {
    const value = encryptValue(field, cipher.decrypt(encrypted));
    const read = field.searchable ? { [`${path}.text`]: encrypted } : { [path]: stored };
    return { updateOne: { filter: { _id: row._id, ...read }, update: { $set: { [path]: value } } } };
  } catch (error) {
    counts.unreadable += 1;
    counts.fault ??= `${row._id}: ${(error as Error).message}`;
    return undefined;
  }
}

/** Undefined for what is stored in plain text. */
function ciphertextOf({ searchable, prefix }: CiphertextField, stored: unknown): string | undefined {
  if (searchable) return (stored as Searchable).text;
  return typeof stored === 'string' && stored.startsWith(prefix) ? stored.slice(prefix.length) : undefined;
}
