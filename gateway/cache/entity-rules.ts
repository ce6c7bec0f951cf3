import {
  getNamedType,
  getOperationAST,
  isAbstractType,
  isObjectType,
  Kind,
  parse,
  type DocumentNode,
  type GraphQLNamedType,
  type GraphQLObjectType,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { argumentsOf, readAppliedDirectives } from '../graphql/applied-directives.ts';
import { fragmentsOf, keyOf } from '../graphql/ast.ts';
import type { Data } from '../engine/run.ts';
import { readRequirements, type Requirements } from '../authorization/requirements.ts';
import { policyOfSelection, readHints, type CachePolicy, type Hints, type Selected } from './hints.ts';

/** How the entities of one type in one fetch may be cached. */
export interface EntityRule extends CachePolicy {
  /** Some viewers may not see all of it. */
  isRestricted: boolean;
  /** Response names of its fields. A cached entity has all of them. */
  names: readonly string[];
  /** Cache tag of this entity; undefined when the representation lacks a key field. */
  tagOf: (representation: Data) => string | undefined;
}

/** By type name. A type without a rule is not cached. */
export type EntityRules = ReadonlyMap<string, EntityRule>;

const MAX_CACHED_RULES = 2_000;
const NO_RULES: EntityRules = new Map();

/**
 * Reads `@cacheControl` for entity fetches. An entity is not cached when it is private, has no max age, or contains more of another entity
 * than its key: an event that changes the other entity would not invalidate it.
 */
export function createEntityRules(supergraphSdl: string, schema: GraphQLSchema): (query: string) => EntityRules {
  const supergraph = parse(supergraphSdl, { noLocation: true });
  const appliedDirectives = readAppliedDirectives(supergraph);
  const keys = keysOf(supergraph);
  const sources = { schema, keys, hints: readHints(appliedDirectives, schema), requirements: readRequirements(appliedDirectives, schema) };
  const known = new LRUCache<string, EntityRules>({ max: MAX_CACHED_RULES });
  return (query) => {
    let rules = known.get(query);
    if (!rules) known.set(query, (rules = rulesOf(parse(query, { noLocation: true }), sources)));
    return rules;
  };
}

interface RuleSources {
  schema: GraphQLSchema;
  hints: Hints;
  requirements: Requirements;
  /** Fields of the first key of each entity; empty when key fields have subfields. */
  keys: ReadonlyMap<string, readonly string[]>;
}

function rulesOf(document: DocumentNode, sources: RuleSources): EntityRules {
  const [entities, ...others] = getOperationAST(document)?.selectionSet.selections ?? [];
  if (entities?.kind !== Kind.FIELD || keyOf(entities) !== '_entities' || others.length > 0) return NO_RULES;
  const byType = new Map<string, SelectionSetNode[]>();
  for (const part of entities.selectionSet!.selections) {
    // The planner writes one fragment per type. Any other form is not cached.
    if (part.kind !== Kind.INLINE_FRAGMENT || !part.typeCondition) return NO_RULES;
    const type = part.typeCondition.name.value;
    byType.set(type, [...(byType.get(type) ?? []), part.selectionSet]);
  }
  const rules = new Map<string, EntityRule>();
  for (const [name, sets] of byType) {
    const type = sources.schema.getType(name);
    if (!isObjectType(type)) return NO_RULES;
    const rule = ruleOf(type, { kind: Kind.SELECTION_SET, selections: sets.flatMap(({ selections }) => selections) }, document, sources);
    if (rule) rules.set(name, rule);
  }
  return rules;
}

function ruleOf(type: GraphQLObjectType, set: SelectionSetNode, document: DocumentNode, sources: RuleSources): EntityRule | undefined {
  const { schema, hints, requirements } = sources;
  const key = sources.keys.get(type.name) ?? [];
  let isOwn = key.length > 0;
  let isRestricted = false;
  const onField = (selected: Selected | undefined): void => {
    isOwn &&= selected !== undefined && selected.hint.scope !== 'PRIVATE' && !showsOthers(selected, sources);
    isRestricted ||= selected !== undefined && requirements.has(`${selected.parent.name}.${selected.field.name}`);
  };
  const { maxAge: ofType = 0, scope } = hints.ofType(type.name);
  const start = { maxAge: ofType, isPublic: scope === 'PUBLIC' };
  const policy = policyOfSelection(set, type, start, { schema, hints, fragments: fragmentsOf(document), onField });
  if (!isOwn || scope === 'PRIVATE' || policy.maxAge < 1) return undefined;
  const names = set.selections.flatMap((each) => (each.kind === Kind.FIELD && !each.directives?.length ? [keyOf(each)] : []));
  return { ...policy, isRestricted, names, tagOf: tagger(type.name, key) };
}

/**
 * Whether the field selects more of another entity than its key. An entity that inherits its max age is a part: events that change it carry
 * the tag of the whole.
 */
function showsOthers({ node, field, hint }: Selected, { keys, schema }: RuleSources): boolean {
  if (hint.inheritMaxAge === true) return false;
  const type = getNamedType(field.type);
  const isEntity = ({ name }: GraphQLNamedType): boolean => keys.has(name);
  if (isAbstractType(type) && [type, ...schema.getPossibleTypes(type)].some(isEntity)) return true;
  if (!isEntity(type)) return false;
  const allowed = ['__typename', ...keys.get(type.name)!];
  return node.selectionSet!.selections.some((each) => each.kind !== Kind.FIELD || !allowed.includes(each.name.value));
}

const tagger =
  (type: string, key: readonly string[]): EntityRule['tagOf'] =>
  (representation) => {
    const values = key.map((name) => representation[name]);
    return values.every((value) => typeof value === 'string' || typeof value === 'number') ? `${type}:${values.join(':')}` : undefined;
  };

const PLAIN_KEY = /^\s*\w+(\s+\w+)*\s*$/;

function keysOf({ definitions }: DocumentNode): RuleSources['keys'] {
  const keys = new Map<string, readonly string[]>();
  for (const each of definitions) {
    if (each.kind !== Kind.OBJECT_TYPE_DEFINITION && each.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const joins = (each.directives ?? []).filter(({ name }) => name.value === 'join__type').map(argumentsOf);
    const first = joins.find(({ key }) => typeof key === 'string')?.['key'] as string | undefined;
    if (first !== undefined) keys.set(each.name.value, PLAIN_KEY.test(first) ? first.trim().split(/\s+/) : []);
  }
  return keys;
}
