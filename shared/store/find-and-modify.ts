import { mongo } from 'mongoose';

/*
 * SecantusDB in Python reads the whole collection for each findAndModify, even by `_id` (0.7.0b3: 20 ms with few rows, 400 ms and more with
 * 4,000), while its find and update use indexes. On that store alone, `findOneAndUpdate` and `findOneAndDelete` of a transaction become a
 * find, a change by `_id` and a read: one snapshot, and a conflict where somebody else changes the row. Outside of transactions nothing
 * changes.
 */

type Options = mongo.FindOneAndUpdateOptions;
type Collection = mongo.Collection;
type Filter = mongo.Filter<mongo.Document>;

const slow = new WeakSet<mongo.MongoClient>();

/** Asks the store what it is, and avoids findAndModify where that reads all rows. */
export async function avoidSlowFindAndModify(client: mongo.MongoClient): Promise<void> {
  const build = await client.db('admin').command({ buildInfo: 1 });
  // The server in Rust names its build environment, as MongoDB does.
  if ('secantusVersion' in build && !('buildEnvironment' in build)) slow.add(client);
}

const applies = (collection: Collection, options: Options | undefined): options is Options & { session: mongo.ClientSession } =>
  options?.session?.inTransaction() === true &&
  !options.includeResultMetadata &&
  slow.has((collection as unknown as { client: mongo.MongoClient }).client);

const methods = mongo.Collection.prototype as unknown as {
  findOneAndUpdate(this: Collection, filter: Filter, update: mongo.UpdateFilter<mongo.Document>, options?: Options): Promise<unknown>;
  findOneAndDelete(this: Collection, filter: Filter, options?: Options): Promise<unknown>;
};
const { findOneAndUpdate, findOneAndDelete } = methods;

methods.findOneAndUpdate = async function findThenUpdate(filter, update, options) {
  if (!applies(this, options)) return findOneAndUpdate.call(this, filter, update, options!);
  const { session, sort, projection, returnDocument = 'before', ...rest } = options;
  const before = await this.findOne(filter, { session, ...(sort && { sort }) });
  // An insert finds no row, which costs little.
  if (!before) return rest.upsert ? findOneAndUpdate.call(this, filter, update, options) : null;
  const { _id } = before;
  await this.updateOne({ _id }, update, { ...rest, session, upsert: false });
  if (returnDocument === 'before' && !projection) return before;
  if (returnDocument === 'before') throw new Error('A projection of the row before its change is not supported here');
  return this.findOne({ _id }, { session, ...(projection && { projection }) });
};

methods.findOneAndDelete = async function findThenDelete(filter, options) {
  if (!applies(this, options)) return findOneAndDelete.call(this, filter, options);
  const { session, sort, projection } = options;
  const found = await this.findOne(filter, { session, ...(sort && { sort }), ...(projection && { projection }) });
  if (found) await this.deleteOne({ _id: found._id }, { session });
  return found;
};
