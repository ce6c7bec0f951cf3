import type { Model, QueryFilter, UpdateQuery } from 'mongoose';
import { notFound, Problem, type InputPath } from '../base/errors.ts';

interface Versioned {
  _id: string;
  version: number;
}

interface VersionedUpdate<T extends Versioned> {
  id: string;
  /** The version that the caller has seen. */
  expectedVersion: number;
  set: Partial<T>;
  /** What else must hold of the row; a row that fails it is answered by `refusal`. */
  where?: QueryFilter<T>;
  /** For people, such as "category". */
  noun: string;
  /** Where the input names the id and the version. Default `['input']`. */
  path?: InputPath;
  /** Called when nothing was written: throws what a caller is told before anything about versions. */
  refusal?: () => Promise<void>;
}

/** The refusal of an optimistic update: the row has another version than the caller has seen. */
export const staleVersion = (noun: string, currentVersion: number, path: InputPath = ['input']): Problem =>
  new Problem('STALE_VERSION', `Somebody changed this ${noun} meanwhile.`, {
    path: [...path, 'expectedVersion'],
    typename: 'StaleVersionError',
    currentVersion,
  });

/**
 * Changes a row if nobody has changed it since `expectedVersion`, and counts its version up. Returns the row as it is now; throws STALE_VERSION
 * with the current version, or NOT_FOUND. Of several at the same time one wins.
 */
export async function updateVersioned<T extends Versioned>(model: Model<T>, options: VersionedUpdate<T>): Promise<T> {
  const { id, expectedVersion, set, where = {}, noun, path = ['input'], refusal } = options;
  const updated = await model
    .findOneAndUpdate(
      { ...where, _id: id, version: expectedVersion } as QueryFilter<T>,
      { $set: set, $inc: { version: 1 } } as UpdateQuery<T>,
      { returnDocument: 'after' },
    )
    .lean<T>();
  if (updated) return updated;
  await refusal?.();
  const current = await model.findById(id, { version: 1 }).lean<Versioned>();
  throw current ? staleVersion(noun, current.version, path) : notFound(model.modelName, id, [...path, 'id']);
}
