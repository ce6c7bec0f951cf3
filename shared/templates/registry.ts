import type { Connection } from 'mongoose';
import { createIndexes } from '../store/indexes.ts';
import { isDuplicateKey } from '../store/mongo.ts';
import type { Sources, Template } from './define-templates.ts';

/** The texts of one version of a template. They never change. */
interface TemplateRow {
  /** `<name>@<version>` */
  _id: string;
  name: string;
  owner: string;
  sources: Sources;
  registeredAt: Date;
}

/** Templates that a sender keeps in memory. */
const MAX_KNOWN = 500;

/**
 * The templates of the whole system, in the kit's own database: the sender renders those of subgraphs that other processes run, and a message
 * in the texts of the build that sent it, also after a deploy.
 */
export function createTemplateRegistry(db: Connection) {
  const rows = db.collection<TemplateRow>('templates');
  const known = new Map<string, Sources>();

  return {
    async prepare(): Promise<void> {
      // sourcesOf for messages from before there were versions.
      await createIndexes(db, 'templates', [{ key: { name: 1, registeredAt: -1 }, name: 'name' }]);
    },
    /** Every process registers the templates of its subgraphs before it serves. */
    async register(templates: readonly Template<any>[]): Promise<void> {
      const wanted = new Map(templates.map((each) => [`${each.name}@${each.version}`, each]));
      if (wanted.size === 0) return;
      const found = await rows.find({ _id: { $in: [...wanted.keys()] } }, { projection: { _id: 1 } }).toArray();
      for (const { _id } of found) wanted.delete(_id);
      const fresh = [...wanted].map(([_id, { name, owner, sources }]) => ({ _id, name, owner, sources, registeredAt: new Date() }));
      if (fresh.length === 0) return;
      // Another process may have written the same rows meanwhile.
      await rows.insertMany(fresh, { ordered: false }).catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error;
      });
    },
    /** Without a version: the newest texts. */
    async sourcesOf(name: string, version: string | undefined): Promise<Sources | undefined> {
      if (version === undefined) return (await rows.findOne({ name }, { sort: { registeredAt: -1 } }))?.sources;
      const _id = `${name}@${version}`;
      const kept = known.get(_id);
      if (kept) return kept;
      const row = await rows.findOne({ _id });
      if (known.size >= MAX_KNOWN) known.clear();
      if (row) known.set(_id, row.sources);
      return row?.sources;
    },
  };
}

export type TemplateRegistry = ReturnType<typeof createTemplateRegistry>;
