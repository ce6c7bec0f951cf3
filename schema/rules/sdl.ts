import { Kind } from 'graphql';
import type { Permissions } from '#shared/kit/permissions.ts';
import { handedIn, isInnermostMandatory, isResolvable, keyFields, namedOf, shown, typesOf, type Sdl, type Type } from './document.ts';

const ROOTS = ['Query', 'Mutation', 'Subscription'];

/** Root fields without a rule of their own: closed for everybody, which nobody can have meant. */
export function rootFieldsWithoutRule({ document, permissions }: Sdl): string[] {
  return typesOf(document)
    .filter(({ name }) => ROOTS.includes(name))
    .flatMap(({ name, fields }) =>
      fields.filter((field) => !hasRule(permissions, name, field.name.value)).map((field) => `${name}.${field.name.value}`),
    );
}

/** Entities that `_entities` would hand to anyone: those that can be resolved here and lack a rule for all their fields. */
export function entitiesWithoutRule({ document, permissions }: Sdl): string[] {
  return typesOf(document)
    .filter((type) => isResolvable(type) && !hasRule(permissions, type.name, '*') && !isRule(permissions[type.name]))
    .map(({ name }) => name);
}

/** Entities that the README neither owns nor extends, and those that it owns or extends but the schema does not have. */
export function entitiesOfNobody({ document }: Sdl, named: ReadonlySet<string>): string[] {
  const types = typesOf(document);
  const unnamed = types.filter((type) => isResolvable(type) && !named.has(type.name)).map(({ name }) => `${name} is not in the README`);
  const unknown = [...named].filter((name) => !types.some((type) => type.name === name));
  return [...unnamed, ...unknown.map((name) => `${name} is not in the schema`)];
}

/** Mutations that are not `name(input: NameInput!): NamePayload!`, and payloads that a refusal cannot leave by. */
export function mutationsOfOtherShape({ document }: Sdl): string[] {
  const types = typesOf(document);
  const mutations = types.filter(({ name }) => name === 'Mutation').flatMap(({ fields }) => fields);
  return mutations.flatMap(({ name: { value: name }, arguments: args = [], type }) => {
    const stem = name[0]!.toUpperCase() + name.slice(1);
    const faults: string[] = [];
    const [input] = args;
    if (args.length !== 1 || input?.name.value !== 'input' || shown(input.type) !== `${stem}Input!`)
      faults.push(`takes no \`input: ${stem}Input!\` alone`);
    if (shown(type) !== `${stem}Payload!`) faults.push(`does not answer ${stem}Payload!`);
    const payload = types.find((each) => each.name === `${stem}Payload`)?.fields ?? [];
    const userErrors = payload.find((field) => field.name.value === 'userErrors');
    if (!userErrors || shown(userErrors.type) !== '[UserError!]!') faults.push(`has no \`userErrors: [UserError!]!\` in its payload`);
    for (const field of payload) {
      // A refused mutation has nothing but its refusals: a field that must be there would take them along.
      if (field !== userErrors && field.type.kind === Kind.NON_NULL_TYPE)
        faults.push(`has the mandatory field ${field.name.value} in its payload`);
    }
    return faults.map((fault) => `${name} ${fault}`);
  });
}

/** What has no description. The owner of an entity describes it and its key, others what they add. */
export function undescribed({ document, owned }: Sdl): string[] {
  const places: [place: string, node: Described][] = handedIn(document);
  for (const { name, definition, fields, directives } of typesOf(document)) {
    const foreignKeys = owned.has(name) ? [] : keyFields(directives);
    if (definition && foreignKeys.length === 0 && !ROOTS.includes(name)) places.push([name, definition]);
    for (const field of fields) if (!foreignKeys.includes(field.name.value)) places.push([`${name}.${field.name.value}`, field]);
  }
  for (const definition of document.definitions) {
    if (isOtherDefinition(definition)) places.push([definition.name.value, definition]);
    if (definition.kind !== Kind.ENUM_TYPE_DEFINITION && definition.kind !== Kind.ENUM_TYPE_EXTENSION) continue;
    for (const value of definition.values ?? []) places.push([`${definition.name.value}.${value.name.value}`, value]);
  }
  return places.filter(([, { description }]) => !description?.value.trim()).map(([place]) => place);
}

interface Described {
  description?: { value: string } | undefined;
}

const isOtherDefinition = (definition: { kind: string }): definition is Described & { kind: string; name: { value: string } } =>
  /^(InputObject|Enum|Union|Scalar)TypeDefinition$/.test(definition.kind);

/** Enums that do not tell clients to expect more values than there are. */
export function enumsThatSeemClosed({ document }: Sdl): string[] {
  return document.definitions
    .filter((definition) => definition.kind === Kind.ENUM_TYPE_DEFINITION)
    .filter(({ description }) => !/values may be added/i.test(description?.value ?? ''))
    .map(({ name }) => name.value);
}

/** Fields of a request's other parts that this subgraph takes along when it is down itself: what it answers at the root, and adds to others' entities. */
export function mandatoryOwnParts({ document, owned }: Sdl): string[] {
  return typesOf(document).flatMap(({ name, directives, fields }) => {
    const keys = keyFields(directives);
    if (name !== 'Query' && (keys.length === 0 || owned.has(name))) return [];
    return fields
      .filter((field) => field.type.kind === Kind.NON_NULL_TYPE && !keys.includes(field.name.value))
      .map((field) => `${name}.${field.name.value}: ${shown(field.type)}`);
  });
}

/** Fields that take the whole answer along when another subgraph is down. */
export function mandatoryForeignFields({ document, owned }: Sdl): string[] {
  const types = typesOf(document);
  const isForeign = ({ name, directives }: Type): boolean => keyFields(directives).length > 0 && !owned.has(name);
  const foreign = new Set(types.filter(isForeign).map(({ name }) => name));
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.UNION_TYPE_DEFINITION) continue;
    if (definition.types?.some(({ name }) => foreign.has(name.value))) foreign.add(definition.name.value);
  }
  return types.flatMap(({ name, fields }) =>
    fields
      .filter(({ type }) => foreign.has(namedOf(type)) && isInnermostMandatory(type))
      .map((field) => `${name}.${field.name.value}: ${shown(field.type)}`),
  );
}

/** Lists a caller hands in whose entries may be null, or whose description does not say how many there may be. */
export function unboundedLists({ document }: Sdl): string[] {
  return handedIn(document).flatMap(([place, { type, description }]) => {
    if (!shown(type).startsWith('[')) return [];
    const faults = isInnermostMandatory(type) ? [] : [`${place} allows null as an entry`];
    return /\bat most [\d,]+/i.test(description?.value ?? '') ? faults : [...faults, `${place} does not say "at most" how many`];
  });
}

/** The codes a subgraph adds to `UserErrorCode`, and the types it has for refusals with facts. */
export function declaredRefusals({ document }: Sdl): { codes: string[]; types: string[] } {
  const codes = document.definitions
    .filter((definition) => definition.kind === Kind.ENUM_TYPE_EXTENSION || definition.kind === Kind.ENUM_TYPE_DEFINITION)
    .filter(({ name }) => name.value === 'UserErrorCode')
    .flatMap(({ values = [] }) => values.map(({ name }) => name.value));
  const types = typesOf(document).filter(({ interfaces }) => interfaces.some(({ name }) => name.value === 'UserError'));
  return { codes, types: types.map(({ name }) => name) };
}

const isRule = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) !== Object.prototype;

const hasRule = (permissions: Permissions, type: string, field: string): boolean => {
  const rules = permissions[type];
  return rules !== undefined && !isRule(rules) && Object.hasOwn(rules, field);
};
