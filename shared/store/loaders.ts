import DataLoader from 'dataloader';
import { trusted, type Model } from 'mongoose';

/** More keys than this are read in several queries. */
const BATCH = 1_000;

/** A model whose lean documents are `T`: named by the caller, since what mongoose infers of a model is its hydrated form. */
// oxlint-disable-next-line typescript/no-explicit-any -- mongoose's parameters are invariant
export type AnyModel<_T> = Model<any, any, any, any, any, any>;

interface ManyOptions {
  /** Order within each key; by `_id`, which is by age, when not given. */
  sort?: Record<string, 1 | -1>;
  /** At most so many for each key, in that order. */
  limit?: number;
}

/** Lean documents by id, in the order of the keys, null where there is none; one query for all keys of a tick. */
export function byId<T = any>(model: AnyModel<T>): DataLoader<string, T | null> {
  return new DataLoader(
    async (keys: readonly string[]) => {
      const found = (await model.find({ _id: trusted({ $in: idsOf(keys) }) }).lean()) as (T & { _id: unknown })[];
      const documents = new Map(found.map((document) => [String(document._id), document]));
      return keys.map((key) => documents.get(key) ?? null);
    },
    { maxBatchSize: BATCH },
  );
}

/** The lean documents whose `field` is the key, an empty list where there are none; one query for all keys of a tick. */
export function manyBy<T = any>(
  model: AnyModel<T>,
  field: string & keyof T,
  { sort = { _id: 1 }, limit }: ManyOptions = {},
): DataLoader<string, T[]> {
  const all = async (keys: string[]) => {
    const found = (await model
      .find({ [field]: trusted({ $in: keys }) })
      .sort(sort)
      .lean()) as T[];
    return Object.entries(Object.groupBy(found, (document) => String(document[field])));
  };
  // Cut in the store: one key with a million documents must not come over the wire for its first ten.
  const first = async (keys: string[], most: number) => {
    const group = { _id: `$${field}`, documents: { $firstN: { input: '$$ROOT', n: most } } };
    const rows = await model.aggregate<{ _id: unknown; documents: T[] }>([
      { $match: { [field]: { $in: keys } } },
      { $sort: sort },
      { $group: group },
    ]);
    return rows.map(({ _id, documents }) => [String(_id), documents] as const);
  };
  return new DataLoader(
    async (keys: readonly string[]) => {
      const groups = new Map<string, T[] | undefined>(await (limit === undefined ? all(idsOf(keys)) : first(idsOf(keys), limit)));
      return keys.map((key) => groups.get(key) ?? []);
    },
    { maxBatchSize: BATCH },
  );
}

/** A key of another kind (an entity reference may carry anything) finds nothing, and never becomes part of a query. */
const idsOf = (keys: readonly unknown[]): string[] => keys.filter((key) => typeof key === 'string');
