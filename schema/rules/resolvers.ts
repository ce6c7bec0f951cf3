import { Kind } from 'graphql';
import type { Resolvers } from '#shared/kit/define-subgraph.ts';
import { isResolvable, keyFields, typesOf, type Sdl, type Type } from './document.ts';

const ROOTS = ['Query', 'Mutation', 'Subscription'];
/** Of a type, not of a field. */
const TYPE_RESOLVERS = new Set(['__resolveReference', '__resolveType', '__isTypeOf']);

/** Resolvers of a type or a field that the schema does not have. */
export function resolversWithoutField({ document }: Sdl, resolvers: Resolvers): string[] {
  const types = new Map(typesOf(document).map((type) => [type.name, type]));
  const others = new Set(document.definitions.flatMap((each) => ('name' in each && each.name ? [each.name.value] : [])));
  return Object.entries(resolvers).flatMap(([name, resolver]) => {
    const type = types.get(name);
    if (!type) return others.has(name) ? [] : [name];
    const known = new Set(type.fields.map((field) => field.name.value));
    return Object.keys(resolver as object)
      .filter((field) => !known.has(field) && !TYPE_RESOLVERS.has(field))
      .map((field) => `${name}.${field}`);
  });
}

/**
 * Fields that nothing would fill: root fields, fields of another subgraph's entity, fields of an own entity that its row does not have, and
 * entities that cannot be resolved by reference. `paths` holds the top-level names of the rows, by model; a model is named like its type.
 */
export function fieldsWithoutResolver(sdl: Sdl, resolvers: Resolvers, paths: ReadonlyMap<string, ReadonlySet<string>>): string[] {
  return typesOf(sdl.document).flatMap((type) => {
    const own = (resolvers[type.name] ?? {}) as Record<string, unknown>;
    if (ROOTS.includes(type.name)) return missingIn(type, own, new Set());
    if (!isResolvable(type) || type.definition?.kind === Kind.INTERFACE_TYPE_DEFINITION) return [];
    const reference = own['__resolveReference'] ? [] : [`${type.name}.__resolveReference`];
    const filled = filledWithout(type, sdl.owned, paths);
    return filled ? [...reference, ...missingIn(type, own, filled)] : reference;
  });
}

/** Fields that the parent has; undefined when it cannot be known, as for a type whose rows are of another name. */
function filledWithout(
  type: Type,
  owned: ReadonlySet<string>,
  paths: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlySet<string> | undefined {
  if (owned.has(type.name)) return paths.get(type.name);
  const external = type.fields.filter((field) => field.directives?.some(({ name }) => name.value === 'external'));
  return new Set([...keyFields(type.directives), ...external.map((field) => field.name.value)]);
}

function missingIn({ name, fields }: Type, own: Record<string, unknown>, filled: ReadonlySet<string>): string[] {
  return fields
    .map((field) => field.name.value)
    .filter((field) => !filled.has(field) && !isResolver(own[field], name))
    .map((field) => `${name}.${field}`);
}

function isResolver(resolver: unknown, type: string): boolean {
  if (typeof resolver === 'function') return type !== 'Subscription';
  return typeof resolver === 'object' && resolver !== null && (type === 'Subscription' ? 'subscribe' : 'resolve') in resolver;
}

/** Rules of permissions.ts for a type or a field that the schema does not have. */
export function rulesWithoutField({ document, permissions }: Sdl): string[] {
  const types = new Map(typesOf(document).map((type) => [type.name, new Set(type.fields.map((field) => field.name.value))]));
  return Object.entries(permissions).flatMap(([name, rules]) => {
    const fields = types.get(name);
    if (!fields) return [name];
    if (Object.getPrototypeOf(rules) !== Object.prototype) return [];
    return Object.keys(rules)
      .filter((field) => field !== '*' && !fields.has(field))
      .map((field) => `${name}.${field}`);
  });
}
