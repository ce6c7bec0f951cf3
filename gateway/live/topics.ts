import { randomUUID } from 'node:crypto';
import { getArgumentValues, getVariableValues, type GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Operation } from '../engine/types.ts';
import { AFTER, normalizeSubscription, type NormalizedSubscription } from './normalize-subscription.ts';

const MAX_CACHED_SUBSCRIPTIONS = 2_000;

/** What one subscription listens to. Subscriptions with equal keys get equal results for each event. */
export interface Topic {
  field: string;
  key: string;
  /** The cursor from which the client resumes. */
  after: string | undefined;
  /** True when the field can resume from a cursor. */
  resumes: boolean;
  /** The operation for any client with the same rights, from a cursor or from now on. */
  operationAfter: (cursor: string | undefined, requested: Operation) => Operation;
}

type Variables = Readonly<Record<string, unknown>>;

interface TopicsOptions {
  schema: GraphQLSchema;
  /** What of the viewer the results depend on. */
  scopeOf: (operation: Operation) => string;
}

/** Derives topics from subscriptions. */
export function createTopics({ schema, scopeOf }: TopicsOptions): (operation: Operation) => Topic {
  const cache = new LRUCache<string, NormalizedSubscription>({ max: MAX_CACHED_SUBSCRIPTIONS });

  const normalizedFor = (operation: Operation): NormalizedSubscription => {
    const memo = `${operation.operationName ?? ''}\n${operation.source}`;
    let normalized = cache.get(memo);
    if (!normalized) cache.set(memo, (normalized = normalizeSubscription(schema, operation)));
    return normalized;
  };

  return (operation) => {
    const normalized = normalizedFor(operation);
    const field = normalized.field.name;
    const given = normalized.cursor === undefined ? {} : argumentsOf(schema, normalized, operation.variables);
    // Invalid variables are reported by the engine, to this client alone.
    if (!given) return { field, key: randomUUID(), after: undefined, resumes: false, operationAfter: (_cursor, requested) => requested };
    const variables = pick(operation.variables ?? {}, normalized.used);
    return {
      field,
      key: canonical([normalized.source, variables, scopeOf(operation)]),
      after: (given[AFTER] as string | null | undefined) ?? undefined,
      resumes: normalized.cursor !== undefined,
      operationAfter: (cursor, requested) => ({ ...requested, ...opened(normalized, variables, cursor) }),
    };
  };
}

function opened(
  { cursor: name, document, source }: NormalizedSubscription,
  variables: Variables,
  cursor: string | undefined,
): Pick<Operation, 'document' | 'source' | 'variables' | 'wantsStart'> {
  if (name === undefined) return { document, source, variables };
  return { document, source, variables: cursor === undefined ? variables : { ...variables, [name]: cursor }, wantsStart: true };
}

/** Arguments of the field; undefined when they are invalid. */
function argumentsOf(
  schema: GraphQLSchema,
  { field, root, definitions }: NormalizedSubscription,
  given: Variables | undefined,
): Variables | undefined {
  const { coerced } = getVariableValues(schema, definitions, given ?? {});
  if (!coerced) return undefined;
  try {
    return getArgumentValues(field, root, coerced);
  } catch {
    return undefined;
  }
}

const pick = (variables: Variables, names: readonly string[]): Variables =>
  Object.fromEntries(names.filter((name) => Object.hasOwn(variables, name)).map((name) => [name, variables[name]]));

/** JSON with sorted keys: equal values have equal texts. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : each,
  );
