import type { ExecutionResult, GraphQLSchema } from 'graphql';
import { matchesSelection } from '#shared/transport/response-check.ts';
import { readEntityMaxAge } from '#shared/kit/entity-max-age.ts';
import { MAX_TTL_SECONDS, type CacheRead, type CacheWrite } from '#shared/cache/cache-tags.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { isData, type Data } from '../engine/run.ts';
import { createEntityKeys, type EntityLookup } from './entity-keys.ts';
import type { EntityRule } from './entity-rules.ts';
import type { EntityStore } from './entity-store.ts';
import { entitiesOf, mergeCached } from './merge-cached.ts';

type Execute = (subgraph: string, request: SubgraphRequest) => Promise<ExecutionResult>;

interface EntityCacheOptions {
  supergraphSdl: string;
  schema: GraphQLSchema;
  store: EntityStore;
}

/**
 * Fetches only cache misses. An entity is cacheable when `@cacheControl` says PUBLIC or the subgraph marks this response as
 * viewer-independent. Errors and nulls are never cached: the entity may appear later, or already exist for another viewer. For queries
 * only: after a mutation the client must see the current state.
 */
export function cacheEntities(execute: Execute, { supergraphSdl, schema, store }: EntityCacheOptions): Execute {
  const lookupsFor = createEntityKeys({ supergraphSdl, schema, store });

  return async (subgraph, request) => {
    const lookups = lookupsFor(subgraph, request);
    const found = lookups && (await store.read(lookups.map(({ place }) => place)));
    if (!lookups || !found) return execute(subgraph, request);
    const cached = lookups.map(({ rule }, index) => readCached(found[index]!, rule, request.query));
    const missing = cached.flatMap((entity, index) => (entity ? [] : [index]));
    count(store, found, missing);
    if (missing.length === 0) return { data: { _entities: cached } };

    const representations = missing.map((index) => lookups[index]!.representation);
    const result = await execute(subgraph, { ...request, variables: { ...request.variables, representations } });
    const entities = entitiesOf(result, missing.length);
    if (entities && !result.errors) {
      const seconds = readEntityMaxAge(result);
      // Written under the tag versions read before the fetch, so an event that came meanwhile makes the write worthless. Not awaited.
      void store.keep(missing.flatMap((index, position) => toKeep(lookups[index]!, found[index]!, entities[position]!, seconds)));
    }
    return missing.length === cached.length ? result : mergeCached(cached, missing, { subgraph, entities, errors: result.errors });
  };
}

function count({ counters }: EntityStore, found: readonly CacheRead[], missing: readonly number[]): void {
  counters.hits += found.length - missing.length;
  counters.misses += missing.length;
  counters.stale += missing.filter((index) => found[index]!.isStale).length;
}

function toKeep({ rule, place }: EntityLookup, { versions }: CacheRead, entity: Data | null, sameForAll: number): CacheWrite[] {
  const ttlSeconds = Math.floor(Math.min(rule.maxAge, rule.isPublic ? MAX_TTL_SECONDS : sameForAll, MAX_TTL_SECONDS));
  const text = ttlSeconds >= 1 && isComplete(entity, rule) ? textOf(entity) : undefined;
  return text === undefined ? [] : [{ key: place.key, versions, text, ttlSeconds }];
}

function readCached({ text }: CacheRead, rule: EntityRule, query: string): Data | undefined {
  if (text === undefined) return undefined;
  try {
    const entity: unknown = JSON.parse(text);
    return isComplete(entity, rule) && matchesSelection(query, { _entities: [entity] }) ? entity : undefined;
  } catch {
    return undefined;
  }
}

/** An in-process subgraph may return values that JSON cannot hold. */
function textOf(entity: Data): string | undefined {
  try {
    return JSON.stringify(entity);
  } catch {
    return undefined;
  }
}

const isComplete = (entity: unknown, { names }: EntityRule): entity is Data =>
  isData(entity) && names.every((name) => Object.hasOwn(entity, name) && entity[name] !== undefined);
