import type { QueryFilter } from 'mongoose';
import { notFound, Problem, type InputPath } from '../base/errors.ts';
import type { AnyModel } from './loaders.ts';

interface Versioned {
  _id: string;
  version: number;
}

interface VersionedUpdate<T extends Versioned> {
  id: string;
  /** The version that the caller has seen. */
  expectedVersion: number;
  /** Fields of the row; values as the model casts them. */
  set: { [field in keyof T]?: unknown };
  /** What else must hold of the row; a row that fails it is answered by `refusal`. */
  where?: QueryFilter<T>;
  /** For people, such as "note". */
  noun: string;
  /** Type of the schema; default: the name of the model. */
  type?: string;
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
export async function updateVersioned<T extends Versioned>(model: AnyModel<T>, options: VersionedUpdate<T>): Promise<T> {
  const { id, expectedVersion, set, where = {}, noun, type = model.modelName, path = ['input'], refusal } = options;
  const seen = { ...where, _id: id, version: expectedVersion };
  const updated = (await model.findOneAndUpdate(seen, { $set: set, $inc: { version: 1 } }, { returnDocument: 'after' }).lean()) as T | null;
  if (updated) return updated;
  await refusal?.();
  const current = (await model.findById(id, { version: 1 }).lean()) as Versioned | null;
  throw current ? staleVersion(noun, current.version, path) : notFound(type, id, [...path, 'id']);
}
