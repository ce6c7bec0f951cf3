import { hash } from 'node:crypto';
import type { GraphQLSchema } from 'graphql';
import type { CacheSlot } from '#shared/cache/cache-tags.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import type { Data } from '../engine/run.ts';
import { createEntityRules, type EntityRule } from './entity-rules.ts';
import type { EntityStore } from './entity-store.ts';
import { ownScope } from './policy.ts';

/** One entity that is asked for, and where it may be kept. */
export interface Wanted {
  representation: Data;
  rule: EntityRule;
  place: CacheSlot;
}

interface PlacesOptions {
  supergraphSdl: string;
  schema: GraphQLSchema;
  store: Pick<EntityStore, 'keyOf' | 'stampOf'>;
}

/**
 * What a fetch asks for; undefined unless all of it may be kept. A place is known by all that the answer depends on: the supergraph (which also
 * says who may see it), the fetch with its variables, the representation, and the viewer, where not everybody may see it.
 */
export function createPlaces({ supergraphSdl, schema, store }: PlacesOptions) {
  const rulesFor = createEntityRules(supergraphSdl, schema);
  const world = hash('sha256', supergraphSdl, 'base64url');

  return (subgraph: string, { query, variables = {}, identity }: SubgraphRequest): Wanted[] | undefined => {
    const { representations, ...others } = variables;
    if (!Array.isArray(representations) || representations.length === 0) return undefined;
    const rules = rulesFor(query);
    if (rules.size === 0) return undefined;
    const fetch = JSON.stringify([world, subgraph, query, others]);
    const wanted: Wanted[] = [];
    for (const representation of representations as Data[]) {
      const type = representation['__typename'] as string;
      const rule = rules.get(type);
      const tag = rule?.tagOf(representation);
      if (!rule || tag === undefined) return undefined;
      const name = JSON.stringify([fetch, representation, rule.isGuarded ? ownScope(identity) : '']);
      const key = store.keyOf(hash('sha256', name, 'base64url'));
      wanted.push({ representation, rule, place: { key, versions: [type, tag].map(store.stampOf) } });
    }
    return wanted;
  };
}
