import {
  Kind,
  parse,
  type ConstDirectiveNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  type InterfaceTypeDefinitionNode,
  type NamedTypeNode,
  type ObjectTypeDefinitionNode,
  type TypeNode,
} from 'graphql';
import type { Permissions } from '#shared/kit/permissions.ts';

/** The schema of a subgraph as its folder has it, without the preamble. */
export interface Sdl {
  document: DocumentNode;
  permissions: Permissions;
  /** Types the README says it owns; every other type with a key belongs to another subgraph. */
  owned: ReadonlySet<string>;
}

/** A type with everything that is said of it, in one place or in several. */
export interface Type {
  name: string;
  /** Missing when it is only extended here. */
  definition: ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode | undefined;
  directives: ConstDirectiveNode[];
  fields: FieldDefinitionNode[];
  interfaces: NamedTypeNode[];
}

export const readSdl = (schema: string, permissions: Permissions, owned: ReadonlySet<string>): Sdl => ({
  document: parse(schema, { noLocation: true }),
  permissions,
  owned,
});

/** Object and interface types, each once. */
export function typesOf(document: DocumentNode): Type[] {
  const types = new Map<string, Type>();
  for (const definition of document.definitions) {
    if (!('fields' in definition) || !isComposite(definition)) continue;
    const name = definition.name.value;
    const type = types.get(name) ?? { name, definition: undefined, directives: [], fields: [], interfaces: [] };
    types.set(name, type);
    if (!definition.kind.endsWith('Extension')) type.definition = definition;
    type.directives.push(...(definition.directives ?? []));
    type.fields.push(...(definition.fields ?? []));
    type.interfaces.push(...(definition.interfaces ?? []));
  }
  return [...types.values()];
}

function isComposite(definition: { kind: string }): definition is ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode {
  return /^(Object|Interface)Type(Definition|Extension)$/.test(definition.kind);
}

const argumentOf = ({ arguments: args = [] }: ConstDirectiveNode, name: string) =>
  args.find((argument) => argument.name.value === name)?.value;

/** Whether `_entities` answers it here. */
export function isResolvable({ directives }: Type): boolean {
  return directives.some((directive) => {
    const resolvable = directive.name.value === 'key' && argumentOf(directive, 'resolvable');
    return directive.name.value === 'key' && !(resolvable && resolvable.kind === Kind.BOOLEAN && !resolvable.value);
  });
}

/** Names of all fields its keys are made of. */
export function keyFields(directives: readonly ConstDirectiveNode[]): string[] {
  return directives
    .filter(({ name }) => name.value === 'key')
    .flatMap((directive) => {
      const fields = argumentOf(directive, 'fields');
      return fields?.kind === Kind.STRING ? (fields.value.match(/\w+/g) ?? []) : [];
    });
}

/** As it is written in a schema. */
export function shown(type: TypeNode): string {
  if (type.kind === Kind.NON_NULL_TYPE) return `${shown(type.type)}!`;
  return type.kind === Kind.LIST_TYPE ? `[${shown(type.type)}]` : type.name.value;
}

/** The type at the bottom of lists and exclamation marks. */
export const namedOf = (type: TypeNode): string => (type.kind === Kind.NAMED_TYPE ? type.name.value : namedOf(type.type));

/** True for `X!`, `[X!]` and `[X!]!`: where an entry that is missing takes its surroundings along. */
export const isInnermostMandatory = (type: TypeNode): boolean => shown(type).includes(`${namedOf(type)}!`);

/** Everything a caller can hand in: arguments of fields and fields of inputs, each with where it stands. */
export function handedIn(document: DocumentNode): [place: string, value: InputValueDefinitionNode][] {
  const found: [string, InputValueDefinitionNode][] = [];
  for (const { name, fields } of typesOf(document)) {
    for (const field of fields) {
      for (const argument of field.arguments ?? []) found.push([`${name}.${field.name.value}(${argument.name.value}:)`, argument]);
    }
  }
  for (const definition of document.definitions) {
    if (definition.kind !== Kind.INPUT_OBJECT_TYPE_DEFINITION && definition.kind !== Kind.INPUT_OBJECT_TYPE_EXTENSION) continue;
    for (const field of definition.fields ?? []) found.push([`${definition.name.value}.${field.name.value}`, field]);
  }
  return found;
}
