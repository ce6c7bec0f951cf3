import { hash } from 'node:crypto';
import type { ExecutionResult, GraphQLError, GraphQLSchema } from 'graphql';
import { answersShape } from '../../shared/answer-shape.ts';
import { sameForAllSeconds } from '../../shared/same-for-all.ts';
import { LONGEST_SECONDS, type Found, type Place } from '../../shared/stamps.ts';
import type { SubgraphRequest } from '../../shared/transport.ts';
import { invalidAnswer, placed } from '../engine/answer-errors.ts';
import { isData, type Data } from '../engine/run.ts';
import { createEntityRules, type EntityRule } from './entity-rules.ts';
import type { EntityStore } from './entity-store.ts';
import { ownScope } from './policy.ts';

type Ask = (subgraph: string, request: SubgraphRequest) => Promise<ExecutionResult>;

interface EntityCacheOptions {
  supergraphSdl: string;
  schema: GraphQLSchema;
  store: EntityStore;
}

/** One entity that is asked for. */
interface Wanted {
  representation: Data;
  rule: EntityRule;
  place: Place;
}

/**
 * Asks a subgraph only for those entities that are not kept. Kept is what everybody is answered alike: because `@cacheControl` says PUBLIC, or
 * because the subgraph says so of this answer. Not kept are errors, and entities that are null: there may be one the next moment, and for
 * its owner there may be one now. To be asked for queries alone: who changes something wants to see what is.
 */
export function cacheEntities(ask: Ask, { supergraphSdl, schema, store }: EntityCacheOptions): Ask {
  const rulesFor = createEntityRules(supergraphSdl, schema);
  // What another supergraph has laid down is never read, be it the shape or who may see it.
  const world = hash('sha256', supergraphSdl, 'base64url');

  function wantedOf(subgraph: string, { query, variables = {}, identity }: SubgraphRequest): Wanted[] | undefined {
    const { representations, ...others } = variables;
    if (!Array.isArray(representations) || representations.length === 0) return undefined;
    const rules = rulesFor(query);
    if (rules.size === 0) return undefined;
    const fetch = JSON.stringify([world, subgraph, query, others]);
    const wanted = (representations as Data[]).map((representation): Wanted | undefined => {
      const type = representation['__typename'] as string;
      const rule = rules.get(type);
      const tag = rule?.tagOf(representation);
      if (!rule || tag === undefined) return undefined;
      const name = JSON.stringify([fetch, representation, rule.isGuarded ? ownScope(identity) : '']);
      const key = store.keyOf(hash('sha256', name, 'base64url'));
      return { representation, rule, place: { key, stamps: [type, tag].map(store.stampOf) } };
    });
    return wanted.every((each) => each !== undefined) ? wanted : undefined;
  }

  /** Under the stamps of before the subgraph was asked: an event that came meanwhile makes it worthless. Nobody waits for that. */
  function keep(wanted: readonly Wanted[], found: readonly Found[], entities: readonly (Data | null)[], result: ExecutionResult): void {
    const seconds = sameForAllSeconds(result);
    const values = wanted.flatMap(({ rule, place }, index) => {
      const ttlSeconds = Math.floor(Math.min(rule.maxAge, rule.isPublic ? LONGEST_SECONDS : seconds, LONGEST_SECONDS));
      const entity = entities[index];
      const text = ttlSeconds >= 1 && isWhole(entity, rule) ? textOf(entity) : undefined;
      return text === undefined ? [] : [{ key: place.key, stamps: found[index]!.stamps, text, ttlSeconds }];
    });
    void store.keep(values);
  }

  return async (subgraph, request) => {
    const wanted = wantedOf(subgraph, request);
    const found = wanted && (await store.read(wanted.map(({ place }) => place)));
    if (!wanted || !found) return ask(subgraph, request);
    const kept = wanted.map(({ rule }, index) => readKept(found[index]!, rule, request.query));
    const missing = kept.flatMap((entity, index) => (entity ? [] : [index]));
    const { counters } = store;
    counters.hits += kept.length - missing.length;
    counters.misses += missing.length;
    counters.stale += missing.filter((index) => found[index]!.isStale).length;
    if (missing.length === 0) return { data: { _entities: kept } };

    const representations = missing.map((index) => wanted[index]!.representation);
    const result = await ask(subgraph, { ...request, variables: { ...request.variables, representations } });
    const entities = entitiesOf(result, missing.length);
    if (entities && !result.errors)
      keep(
        missing.map((index) => wanted[index]!),
        missing.map((index) => found[index]!),
        entities,
        result,
      );
    return missing.length === kept.length ? result : fillIn(kept, missing, { subgraph, entities, errors: result.errors });
  };
}

function readKept({ text }: Found, rule: EntityRule, query: string): Data | undefined {
  if (text === undefined) return undefined;
  try {
    const entity: unknown = JSON.parse(text);
    return isWhole(entity, rule) && answersShape(query, { _entities: [entity] }) ? entity : undefined;
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

function entitiesOf({ data }: ExecutionResult, count: number): (Data | null)[] | undefined {
  const entities: unknown = data?.['_entities'];
  const fits = Array.isArray(entities) && entities.length === count && entities.every((each) => each === null || isData(each));
  return fits ? (entities as (Data | null)[]) : undefined;
}

interface Rest {
  subgraph: string;
  /** Undefined when the subgraph did not answer what it was asked. */
  entities: readonly (Data | null)[] | undefined;
  errors: ExecutionResult['errors'];
}

/** An error about all that was missing is told for the first ones. */
const MAX_PLACES = 20;

/** The answer to the whole fetch. What is kept stands whatever became of the rest, of which nothing is known then. */
function fillIn(kept: readonly (Data | undefined)[], missing: readonly number[], { subgraph, entities, errors }: Rest): ExecutionResult {
  const answered: unknown[] = [...kept];
  missing.forEach((index, position) => (answered[index] = entities ? entities[position] : {}));
  const told = errors ?? (entities ? [] : [invalidAnswer(subgraph, ['_entities'])]);
  const moved = told.flatMap((error) => movedError(error, missing));
  return { data: { _entities: answered }, ...(moved.length > 0 && { errors: moved }) };
}

function movedError(error: GraphQLError, missing: readonly number[]): GraphQLError[] {
  const [, position, ...rest] = error.path ?? [];
  if (typeof position === 'number')
    return missing[position] === undefined ? [] : [placed(error, ['_entities', missing[position], ...rest])];
  return missing.slice(0, MAX_PLACES).map((index) => placed(error, ['_entities', index]));
}
