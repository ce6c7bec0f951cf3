import {
  Kind,
  type ASTNode,
  type ConstDirectiveNode,
  type EnumValueDefinitionNode,
  type FieldDefinitionNode,
  type InputValueDefinitionNode,
  type TypeDefinitionNode,
  type TypeNode,
} from 'graphql';

/** A field, an input field or a value of an enum. */
type Member = FieldDefinitionNode | InputValueDefinitionNode | EnumValueDefinitionNode;

interface Visibility {
  definitions: readonly TypeDefinitionNode[];
  /** Names of the types that operations begin at. */
  roots: ReadonlySet<string>;
  audience: string;
}

/**
 * The parts of a supergraph that are not for an audience. Root fields are for those whom their tags name; everything else that is
 * reached from there is for everyone, unless it has tags that do not name the audience.
 */
export function hiddenFrom({ definitions, roots, audience }: Visibility): Set<ASTNode> {
  const hidden = new Set<string>();
  for (const definition of definitions) {
    const type = definition.name.value;
    if (!isFor(definition, audience)) hidden.add(type);
    for (const member of membersOf(definition)) {
      const coordinate = `${type}.${member.name.value}`;
      if (roots.has(type) ? !tagsOf(member).includes(audience) : !isFor(member, audience)) hidden.add(coordinate);
      for (const argument of argumentsOf(member)) if (!isFor(argument, audience)) hidden.add(`${coordinate}(${argument.name.value}:)`);
    }
  }
  let before: number;
  do {
    before = hidden.size;
    for (const definition of definitions) if (!hidden.has(definition.name.value)) hideBroken(definition, definitions, hidden);
  } while (hidden.size > before);
  const reached = reachedFrom(roots, definitions, hidden);
  return new Set(
    definitions.flatMap((definition) => (reached.has(definition.name.value) ? hiddenWithin(definition, hidden) : [definition])),
  );
}

function hiddenWithin(definition: TypeDefinitionNode, hidden: ReadonlySet<string>): ASTNode[] {
  return membersOf(definition).flatMap((member): ASTNode[] => {
    const coordinate = `${definition.name.value}.${member.name.value}`;
    if (hidden.has(coordinate)) return [member];
    return argumentsOf(member).filter(({ name }) => hidden.has(`${coordinate}(${name.value}:)`));
  });
}

/** The audiences that a node is tagged for. */
export const tagsOf = ({ directives = [] }: { directives?: readonly ConstDirectiveNode[] | undefined }): string[] =>
  directives
    .filter(({ name }) => name.value === 'tag')
    .flatMap(({ arguments: [name] = [] }) => (name?.value.kind === Kind.STRING ? [name.value.value] : []));

export const membersOf = (definition: TypeDefinitionNode): readonly Member[] =>
  ('fields' in definition ? definition.fields : 'values' in definition ? definition.values : undefined) ?? [];

const argumentsOf = (member: Member): readonly InputValueDefinitionNode[] => ('arguments' in member && member.arguments) || [];

function isFor(node: { directives?: readonly ConstDirectiveNode[] | undefined }, audience: string): boolean {
  const tags = tagsOf(node);
  return tags.length === 0 || tags.includes(audience);
}

/** Hides what of a type cannot be used any more because of what is hidden elsewhere, and the type when nothing is left. */
function hideBroken(definition: TypeDefinitionNode, all: readonly TypeDefinitionNode[], hidden: Set<string>): void {
  const type = definition.name.value;
  const members = membersOf(definition);
  for (const member of members) hideBrokenMember(`${type}.${member.name.value}`, member, hidden);
  if (definition.kind === Kind.INTERFACE_TYPE_DEFINITION) {
    // What one of the types behind an interface does not show, the interface cannot promise.
    for (const behind of all.filter((each) => !hidden.has(each.name.value) && implementsType(each, type))) {
      for (const { name } of members) if (hidden.has(`${behind.name.value}.${name.value}`)) hidden.add(`${type}.${name.value}`);
    }
  }
  const isEmpty =
    definition.kind === Kind.UNION_TYPE_DEFINITION
      ? (definition.types ?? []).every(({ name }) => hidden.has(name.value))
      : definition.kind !== Kind.SCALAR_TYPE_DEFINITION && members.every(({ name }) => hidden.has(`${type}.${name.value}`));
  const lacksInput =
    definition.kind === Kind.INPUT_OBJECT_TYPE_DEFINITION &&
    (definition.fields ?? []).some((field) => isRequired(field) && hidden.has(`${type}.${field.name.value}`));
  if (isEmpty || lacksInput) hidden.add(type);
}

function hideBrokenMember(coordinate: string, member: Member, hidden: Set<string>): void {
  if ('type' in member && hidden.has(namedOf(member.type))) hidden.add(coordinate);
  for (const argument of argumentsOf(member)) {
    const place = `${coordinate}(${argument.name.value}:)`;
    if (hidden.has(namedOf(argument.type))) hidden.add(place);
    if (hidden.has(place) && isRequired(argument)) hidden.add(coordinate);
  }
}

const isRequired = ({ type, defaultValue }: InputValueDefinitionNode): boolean => type.kind === Kind.NON_NULL_TYPE && !defaultValue;

const namedOf = (type: TypeNode): string => (type.kind === Kind.NAMED_TYPE ? type.name.value : namedOf(type.type));

const implementsType = (definition: TypeDefinitionNode, type: string): boolean =>
  'interfaces' in definition && (definition.interfaces ?? []).some(({ name }) => name.value === type);

function reachedFrom(roots: ReadonlySet<string>, definitions: readonly TypeDefinitionNode[], hidden: ReadonlySet<string>): Set<string> {
  const byName = new Map(definitions.map((definition) => [definition.name.value, definition]));
  const reached = new Set<string>();
  const reach = (type: string): void => {
    const definition = byName.get(type);
    if (!definition || hidden.has(type) || reached.has(type)) return;
    reached.add(type);
    for (const member of membersOf(definition)) {
      const coordinate = `${type}.${member.name.value}`;
      if (hidden.has(coordinate)) continue;
      if ('type' in member) reach(namedOf(member.type));
      for (const argument of argumentsOf(member)) if (!hidden.has(`${coordinate}(${argument.name.value}:)`)) reach(namedOf(argument.type));
    }
    if ('interfaces' in definition) for (const { name } of definition.interfaces ?? []) reach(name.value);
    if (definition.kind === Kind.UNION_TYPE_DEFINITION) for (const { name } of definition.types ?? []) reach(name.value);
    if (definition.kind === Kind.INTERFACE_TYPE_DEFINITION) {
      for (const behind of definitions) if (implementsType(behind, type)) reach(behind.name.value);
    }
  };
  for (const root of roots) reach(root);
  return reached;
}
