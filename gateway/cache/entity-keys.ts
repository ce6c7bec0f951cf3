import { hash } from 'node:crypto';
import type { GraphQLSchema } from 'graphql';
import type { CacheSlot } from '#shared/cache/cache-tags.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import type { Data } from '../engine/run.ts';
import { createEntityRules, type EntityRule } from './entity-rules.ts';
import type { EntityStore } from './entity-store.ts';
import { ownScope } from './policy.ts';

/** One requested entity and its cache slot. */
export interface EntityLookup {
  representation: Data;
  rule: EntityRule;
  place: CacheSlot;
}

interface EntityKeysOptions {
  supergraphSdl: string;
  schema: GraphQLSchema;
  store: Pick<EntityStore, 'keyOf' | 'stampOf'>;
}

/**
 * The cache lookups of a fetch; undefined unless every entity of it is cacheable. A key covers all that the response depends on: the
 * supergraph (which also holds the requirements), the fetch with its variables, the representation, and the viewer where access is
 * restricted.
 */
export function createEntityKeys({ supergraphSdl, schema, store }: EntityKeysOptions) {
  const rulesFor = createEntityRules(supergraphSdl, schema);
  const supergraphHash = hash('sha256', supergraphSdl, 'base64url');

  return (subgraph: string, { query, variables = {}, identity }: SubgraphRequest): EntityLookup[] | undefined => {
    const { representations, ...others } = variables;
    if (!Array.isArray(representations) || representations.length === 0) return undefined;
    const rules = rulesFor(query);
    if (rules.size === 0) return undefined;
    const fetch = JSON.stringify([supergraphHash, subgraph, query, others]);
    const lookups: EntityLookup[] = [];
    for (const representation of representations as Data[]) {
      const type = representation['__typename'] as string;
      const rule = rules.get(type);
      const tag = rule?.tagOf(representation);
      if (!rule || tag === undefined) return undefined;
      const name = JSON.stringify([fetch, representation, rule.isRestricted ? ownScope(identity) : '']);
      const key = store.keyOf(hash('sha256', name, 'base64url'));
      lookups.push({ representation, rule, place: { key, versions: [type, tag].map(store.stampOf) } });
    }
    return lookups;
  };
}
