import { AsyncLocalStorage } from 'node:async_hooks';
import type { mongo } from 'mongoose';
import type { Runtime } from '../runtime/runtime.ts';
import { KIT_RETENTION, retentionOf, type Retention } from '../store/retention.ts';
import { faultOf, shapesOf, wordsOf, type Command, type Index, type Shape } from './plan-shape.ts';

/*
 * Holds that no query gets slower with the history of its collection. Watched is what the kit and the subgraphs ask, not what a test asks
 * of the store itself. A query that must read all the same says why in its comment: `{ comment: 'plan: ...' }`.
 */

interface Seen {
  db: string;
  collection: string;
  name: string;
  command: Command;
  shape: Shape;
}

const ours = new AsyncLocalStorage<true>();
/** Of this test file: what was judged once needs no second look. */
const judged = new Set<string>();

/** What runs in here, and whatever it starts, is asked by the kit and the subgraphs. */
export const watched = <T>(work: () => T): T => ours.run(true, work);

/** Watches a client that monitors its commands. */
export function watchPlans(client: mongo.MongoClient, databasePrefix: string) {
  const seen = new Map<string, Seen>();

  const look = ({ commandName: name, command, databaseName: db }: mongo.CommandStartedEvent): void => {
    if (!ours.getStore() || !db.startsWith(databasePrefix) || isExcused(command)) return;
    const collection = command[name] as unknown;
    if (typeof collection !== 'string') return;
    for (const shape of shapesOf(name, command)) {
      const key = `${db.slice(databasePrefix.length)}.${collection} ${name} ${wordsOf(shape)}`;
      if (judged.has(key)) continue;
      judged.add(key);
      seen.set(key, { db, collection, name, command: alone(name, command, shape), shape });
    }
  };
  client.on('commandStarted', look);

  return {
    /** Why each query that no index serves is a fault; before the databases go. */
    async faults(runtimes: Iterable<Runtime>): Promise<string[]> {
      client.off('commandStarted', look);
      const retentions = new Map<string, Retention>();
      for (const { db, models } of runtimes) {
        for (const [name, retention] of Object.entries(KIT_RETENTION)) retentions.set(`${db.name}.${name}`, retention);
        for (const model of models) {
          const retention = retentionOf(model);
          if (retention) retentions.set(`${db.name}.${model.collection.name}`, retention);
        }
      }
      const store = await plannerOf(client);
      const indexes = new Map<string, Promise<Index[]>>();
      const faults: string[] = [];
      for (const [key, { db, collection, shape, ...query }] of seen) {
        const place = `${db}.${collection}`;
        const retention = retentions.get(place);
        if (retention && 'few' in retention) continue;
        const of = client.db(db).collection(collection);
        if (!indexes.has(place)) indexes.set(place, of.indexes().catch(() => [BY_ID]) as Promise<Index[]>);
        const fault = faultOf(shape, (await indexes.get(place))!) ?? (store && (await explained(client.db(db), query)));
        if (fault) faults.push(`${key}: ${fault}`);
      }
      return faults;
    },
  };
}

const isExcused = ({ comment }: Command): boolean => typeof comment === 'string' && comment.startsWith('plan: ');

/** What a collection has that nobody has written to yet. */
const BY_ID: Index = { name: '_id_', key: { _id: 1 } };

/** A bulk is explained one by one. */
function alone(name: string, command: Command, shape: Shape): Command {
  const kept = Object.fromEntries(Object.entries(command).filter(([field]) => EXPLAINED.has(field) || field === name));
  const list = name === 'update' ? 'updates' : name === 'delete' ? 'deletes' : undefined;
  if (!list) return kept;
  const words = wordsOf(shape);
  return { ...kept, [list]: [command[list].find((one: Command) => wordsOf(shapesOf(name, { [list]: [one] })[0]!) === words)] };
}

const EXPLAINED = new Set([
  'filter',
  'sort',
  'limit',
  'query',
  'key',
  'pipeline',
  'cursor',
  'update',
  'projection',
  'skip',
  'new',
  'upsert',
]);

/** SecantusDB in Python says COLLSCAN of much that it answers by an index; the others plan as MongoDB does. */
async function plannerOf(client: mongo.MongoClient): Promise<boolean> {
  const build = await client.db('admin').command({ buildInfo: 1 });
  return !('secantusVersion' in build) || 'buildEnvironment' in build;
}

async function explained(db: mongo.Db, { command }: { command: Command }): Promise<string | undefined> {
  const plan = await db.command({ explain: command, verbosity: 'queryPlanner' }).catch(() => undefined);
  if (!plan) return undefined;
  const text = JSON.stringify(plan['queryPlanner']?.winningPlan ?? plan['stages'] ?? {});
  return text.includes('"COLLSCAN"') ? 'the store reads the whole collection' : undefined;
}
