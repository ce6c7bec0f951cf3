import type { ExecutionResult, GraphQLSchema } from 'graphql';
import { matchesSelection } from '#shared/transport/response-check.ts';
import { readEntityMaxAge } from '#shared/kit/entity-max-age.ts';
import { MAX_TTL_SECONDS, type CacheRead, type CacheWrite } from '#shared/cache/cache-tags.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { isData, type Data } from '../engine/run.ts';
import { createPlaces, type Wanted } from './entity-keys.ts';
import type { EntityRule } from './entity-rules.ts';
import type { EntityStore } from './entity-store.ts';
import { entitiesOf, fillIn } from './merge-cached.ts';

type Ask = (subgraph: string, request: SubgraphRequest) => Promise<ExecutionResult>;

interface EntityCacheOptions {
  supergraphSdl: string;
  schema: GraphQLSchema;
  store: EntityStore;
}

/**
 * Asks a subgraph only for those entities that are not kept. Kept is what everybody is answered alike: because `@cacheControl` says PUBLIC, or
 * because the subgraph says so of this answer. Not kept are errors, and entities that are null: there may be one the next moment, and for
 * its owner there may be one now. To be asked for queries alone: who changes something wants to see what is.
 */
export function cacheEntities(ask: Ask, { supergraphSdl, schema, store }: EntityCacheOptions): Ask {
  const wantedBy = createPlaces({ supergraphSdl, schema, store });

  return async (subgraph, request) => {
    const wanted = wantedBy(subgraph, request);
    const found = wanted && (await store.read(wanted.map(({ place }) => place)));
    if (!wanted || !found) return ask(subgraph, request);
    const kept = wanted.map(({ rule }, index) => readKept(found[index]!, rule, request.query));
    const missing = kept.flatMap((entity, index) => (entity ? [] : [index]));
    count(store, found, missing);
    if (missing.length === 0) return { data: { _entities: kept } };

    const representations = missing.map((index) => wanted[index]!.representation);
    const result = await ask(subgraph, { ...request, variables: { ...request.variables, representations } });
    const entities = entitiesOf(result, missing.length);
    if (entities && !result.errors) {
      const seconds = readEntityMaxAge(result);
      // Under the versions of before the subgraph was asked: an event that came meanwhile makes it worthless. Nobody waits for that.
      void store.keep(missing.flatMap((index, position) => toKeep(wanted[index]!, found[index]!, entities[position]!, seconds)));
    }
    return missing.length === kept.length ? result : fillIn(kept, missing, { subgraph, entities, errors: result.errors });
  };
}

function count({ counters }: EntityStore, found: readonly CacheRead[], missing: readonly number[]): void {
  counters.hits += found.length - missing.length;
  counters.misses += missing.length;
  counters.stale += missing.filter((index) => found[index]!.isStale).length;
}

function toKeep({ rule, place }: Wanted, { versions }: CacheRead, entity: Data | null, sameForAll: number): CacheWrite[] {
  const ttlSeconds = Math.floor(Math.min(rule.maxAge, rule.isPublic ? MAX_TTL_SECONDS : sameForAll, MAX_TTL_SECONDS));
  const text = ttlSeconds >= 1 && isWhole(entity, rule) ? textOf(entity) : undefined;
  return text === undefined ? [] : [{ key: place.key, versions, text, ttlSeconds }];
}

function readKept({ text }: CacheRead, rule: EntityRule, query: string): Data | undefined {
  if (text === undefined) return undefined;
  try {
    const entity: unknown = JSON.parse(text);
    return isWhole(entity, rule) && matchesSelection(query, { _entities: [entity] }) ? entity : undefined;
  } catch {
    return undefined;
  }
}

/** In process a subgraph may answer what JSON cannot hold. */
function textOf(entity: Data): string | undefined {
  try {
    return JSON.stringify(entity);
  } catch {
    return undefined;
  }
}

const isWhole = (entity: unknown, { names }: EntityRule): entity is Data =>
  isData(entity) && names.every((name) => Object.hasOwn(entity, name) && entity[name] !== undefined);
