import { createHash } from 'node:crypto';
import type { Connection, mongo, Schema } from 'mongoose';
import { createLog } from '../base/log.ts';

type Index = mongo.IndexDescription;

/** What the store does for an index; a name is only a name. */
const OPTIONS = ['unique', 'sparse', 'expireAfterSeconds', 'partialFilterExpression', 'collation'] as const;
const INDEX_NOT_FOUND = 27;
const CONFLICTS = [85, 86];

/**
 * Creates what is missing. An index whose definition changed is built beside the old one, under a name of its own, before the old one is
 * dropped, so that neither a query nor a unique key is ever without it. One that is declared no more is reported and stays: another build may
 * need it, and `dropIndex` of a migration removes it.
 */
export async function createIndexes(db: Connection, collection: string, indexes: readonly Index[]): Promise<void> {
  const wanted = indexes.map((index) => ({ ...index, name: index.name ?? nameOf(index) }));
  const existing = await indexesOf(db, collection);
  const missing = wanted.filter((index) => !existing.some((other) => isSame(index, other)));
  if (missing.length > 0) await build(db, collection, missing, existing);
  // What a changed one left when its process ended in between, or an older build made again beside it.
  const replaced = wanted.filter(
    (index) =>
      !missing.includes(index) && existing.some((other) => other.name === index.name && !wanted.some((each) => isSame(each, other))),
  );
  for (const { name } of replaced) await dropIndexIfThere(db, collection, name);
  const undeclared = existing.filter(
    (other) => other.name !== '_id_' && !wanted.some((index) => index.name === other.name || isSame(index, other)),
  );
  for (const { name } of undeclared) {
    const log = createLog('store');
    log.warn(
      { db: db.name, collection, index: name },
      'an index is declared no more: a migration drops it, dropIndex(...) in migrations.ts',
    );
  }
}

interface Declaring {
  schema: Pick<Schema, 'indexes'>;
  collection: { name: string };
}

/** The indexes that the schemas of models declare, by collection. */
export const declaredIndexes = (models: readonly Declaring[]): Map<string, Index[]> =>
  new Map([...Map.groupBy(models, ({ collection }) => collection.name)].map(([name, list]) => [name, list.flatMap(declaredBy)]));

const declaredBy = (model: Declaring): Index[] =>
  model.schema.indexes().map(([key, options]) => {
    const { background: _background, ...rest } = options as Record<string, unknown>;
    return { key: key as Index['key'], ...rest };
  });

/** What a start would do, in a sentence each. */
export async function plannedIndexes(db: Connection, collection: string, indexes: readonly Index[]): Promise<string[]> {
  const existing = await indexesOf(db, collection);
  return indexes
    .map((index) => ({ ...index, name: index.name ?? nameOf(index) }))
    .filter((index) => !existing.some((other) => isSame(index, other)))
    .map(({ name }) => `${existing.some((other) => other.name === name) ? 'rebuilds' : 'builds'} the index ${name} of ${collection}`);
}

/** Drops an index; one that is not there is no error, since the process may have been killed in between. */
export async function dropIndexIfThere(db: Connection, collection: string, name: string): Promise<boolean> {
  if (!(await indexesOf(db, collection)).some((index) => index.name === name)) return false;
  await db
    .collection(collection)
    .dropIndex(name)
    .catch(ignore([INDEX_NOT_FOUND]));
  return true;
}

async function indexesOf(db: Connection, collection: string): Promise<Index[]> {
  const [found] = await db.db!.listCollections({ name: collection }, { nameOnly: true }).toArray();
  return found ? ((await db.collection(collection).indexes()) as Index[]) : [];
}

async function build(db: Connection, collection: string, missing: (Index & { name: string })[], existing: Index[]): Promise<void> {
  const rows = db.collection(collection);
  const [changed, added] = [missing.filter(({ name }) => isNamed(name)), missing.filter(({ name }) => !isNamed(name))];
  if (added.length > 0) await rows.createIndexes(added);
  for (const index of changed) {
    const { name } = index;
    const beside = { ...index, name: `${name}_${digestOf(index)}` };
    try {
      await rows.createIndexes([beside]);
    } catch (error) {
      if (!CONFLICTS.includes((error as { code: number }).code) || index.expireAfterSeconds === undefined) throw error;
      await changeInPlace(db, collection, index);
      continue;
    }
    await rows.dropIndex(name).catch(ignore([INDEX_NOT_FOUND]));
  }

  function isNamed(name: string): boolean {
    return existing.some((index) => index.name === name);
  }
}

/** The time after which rows end is the one change that stores refuse beside the old index, and can make in it. */
async function changeInPlace(db: Connection, collection: string, { name, expireAfterSeconds }: Index): Promise<void> {
  await db.db!.command({ collMod: collection, index: { name, expireAfterSeconds } });
}

const ignore =
  (codes: number[]) =>
  (error: unknown): undefined => {
    if (!codes.includes((error as { code: number }).code)) throw error;
  };

const nameOf = ({ key }: Index): string => Object.entries(key).flat().join('_');

const digestOf = (index: Index): string => createHash('sha256').update(textOf(index)).digest('hex').slice(0, 6);

const isSame = (wanted: Index, existing: Index): boolean => textOf(wanted) === textOf(existing, wanted);

/** A store completes a collation; only what is declared of it counts. */
function textOf(index: Index, declared: Index = index): string {
  const options = OPTIONS.map((option) => {
    const value: unknown = index[option];
    if (option !== 'collation' || !value) return value === false ? undefined : value;
    return Object.fromEntries(Object.keys(declared.collation ?? value).map((field) => [field, (value as Record<string, unknown>)[field]]));
  });
  return JSON.stringify([Object.entries(index.key), options]);
}
