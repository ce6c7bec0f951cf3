import DataLoader from 'dataloader';
import type { Model } from 'mongoose';

interface Many {
  sort?: Record<string, 1 | -1>;
  /** Of each key, at most this many. */
  limit?: number;
}

/** One document for each id, in the order of the ids; null where there is none. One query for all ids of a tick. */
export const byId = <T>(model: Model<any>): DataLoader<string, T | null> =>
  new DataLoader(async (ids) => {
    const found = await model.find({ _id: { $in: [...ids] } } as object).lean<(T & { _id: string })[]>();
    const byKey = new Map(found.map((document) => [document._id, document]));
    return ids.map((id) => byKey.get(id) ?? null);
  });

/** The documents whose `field` is the key, or holds it, in the order of `sort`. One query for all keys of a tick. */
export const manyBy = <T>(model: Model<any>, field: keyof T & string, { sort = { _id: 1 }, limit }: Many = {}): DataLoader<string, T[]> =>
  new DataLoader(async (keys) => {
    const found = await model
      .find({ [field]: { $in: [...keys] } } as object)
      .sort(sort)
      .lean<T[]>();
    return keys.map((key) => {
      const own = found.filter((document) => [document[field]].flat().includes(key as never));
      return limit === undefined ? own : own.slice(0, limit);
    });
  });
