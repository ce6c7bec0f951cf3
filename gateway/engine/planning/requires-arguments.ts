import type { QueryPlan } from '@apollo/query-planner';
import {
  Kind,
  parse,
  print,
  type ArgumentNode,
  type DefinitionNode,
  type DirectiveNode,
  type FieldDefinitionNode,
  type FieldNode,
  type InterfaceTypeDefinitionNode,
  type ObjectTypeDefinitionNode,
  type SelectionSetNode,
  type TypeNode,
} from 'graphql';
import { restorePlan } from './restored-plan.ts';

/** A required field with its arguments, and its name in plans. */
export interface Placeholder {
  name: string;
  type: string;
  field: string;
  arguments: readonly ArgumentNode[];
}

export interface Placeholders {
  byName: ReadonlyMap<string, Placeholder>;
  /** The placeholders that `Type.field` requires. */
  requiredBy: ReadonlyMap<string, ReadonlySet<string>>;
}

/** A supergraph in which required fields with arguments have names of their own. */
export interface SeparatedArguments {
  /** Used for planning instead of the supergraph. */
  supergraphSdl: string;
  /** Turns the plan into one for the real subgraphs. */
  restore: (plan: QueryPlan) => QueryPlan;
}

type Fielded = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

const isFielded = (node: DefinitionNode): node is Fielded =>
  node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION;

/**
 * Apollo plans `@requires(fields: "depth(unit: FEET)")` without regard to arguments: the field gets whatever `depth` is in the response,
 * and a client that selects `depth` in metres gets feet. So each required field with arguments is replaced by a placeholder field without
 * arguments, which a plan cannot confuse with another. Undefined when no field is required with arguments.
 */
export function separateArguments(supergraphSdl: string): SeparatedArguments | undefined {
  if (!/requires: "[^"]*\(/.test(supergraphSdl)) return undefined;
  const { definitions, ...document } = parse(supergraphSdl, { noLocation: true });
  const { replace, placeholders } = createPlaceholders(definitions.filter(isFielded));
  const replaced = definitions.map((node) =>
    isFielded(node) ? { ...node, fields: node.fields?.map((field) => replace(node, field)) } : node,
  );
  const added = replaced.map((node) => (isFielded(node) ? { ...node, fields: withPlaceholders(node, placeholders) } : node));
  return { supergraphSdl: print({ ...document, definitions: added }), restore: (plan) => restorePlan(plan, placeholders) };
}

function createPlaceholders(types: readonly Fielded[]) {
  const byName = new Map<string, Placeholder>();
  const requiredBy = new Map<string, Set<string>>();
  const known = new Map<string, string>();

  const nameOf = (type: string, { name, arguments: given = [] }: FieldNode): string => {
    const memo = `${type}.${name.value}(${given.map(print).join(', ')})`;
    const made = known.get(memo) ?? `_required${known.size}_${name.value}`;
    known.set(memo, made);
    byName.set(made, { name: made, type, field: name.value, arguments: given });
    return made;
  };

  const replaceIn = (set: SelectionSetNode, type: string, used: Set<string>): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((node) => {
      if (node.kind === Kind.FRAGMENT_SPREAD) return node;
      const inside = node.kind === Kind.FIELD ? typeOf(types, type, node.name.value) : (node.typeCondition?.name.value ?? type);
      const selectionSet = node.selectionSet && replaceIn(node.selectionSet, inside, used);
      if (node.kind === Kind.INLINE_FRAGMENT) return { ...node, selectionSet: selectionSet! };
      if (!node.arguments?.length) return { ...node, selectionSet };
      const name = nameOf(type, node);
      used.add(name);
      return { ...node, name: { kind: Kind.NAME, value: name }, arguments: [], selectionSet };
    }),
  });

  const replace = (type: Fielded, field: FieldDefinitionNode): FieldDefinitionNode => {
    const used = new Set<string>();
    const directives = field.directives?.map((directive) => withRequires(directive, (set) => replaceIn(set, type.name.value, used)));
    if (used.size > 0) requiredBy.set(`${type.name.value}.${field.name.value}`, used);
    return { ...field, directives };
  };
  return { replace, placeholders: { byName, requiredBy } satisfies Placeholders };
}

function withRequires<T extends DirectiveNode>(directive: T, change: (set: SelectionSetNode) => SelectionSetNode): T {
  const changed = directive.arguments?.map((argument) => {
    if (argument.name.value !== 'requires' || argument.value.kind !== Kind.STRING) return argument;
    const [definition] = parse(`{ ${argument.value.value} }`, { noLocation: true }).definitions;
    if (definition?.kind !== Kind.OPERATION_DEFINITION) return argument;
    return { ...argument, value: { ...argument.value, block: false, value: print(change(definition.selectionSet)).slice(1, -1) } };
  });
  return { ...directive, arguments: changed };
}

/** The fields with their placeholders, in the same subgraphs. Placeholders of an interface are also fields of its implementations. */
function withPlaceholders({ name, interfaces = [], fields = [] }: Fielded, { byName }: Placeholders): FieldDefinitionNode[] {
  const names = new Set([name.value, ...interfaces.map((each) => each.name.value)]);
  const own = [...byName.values()].filter(({ type }) => names.has(type));
  return fields.flatMap((field) => [
    field,
    ...own
      .filter((each) => each.field === field.name.value)
      .map((each): FieldDefinitionNode => ({ ...field, name: { kind: Kind.NAME, value: each.name }, arguments: [] })),
  ]);
}

function typeOf(types: readonly Fielded[], type: string, name: string): string {
  const field = types.find((each) => each.name.value === type)?.fields?.find((each) => each.name.value === name);
  return field ? named(field.type) : type;
}

const named = (type: TypeNode): string => (type.kind === Kind.NAMED_TYPE ? type.name.value : named(type.type));
