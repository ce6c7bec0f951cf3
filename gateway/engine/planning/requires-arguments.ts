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

/** A field with certain arguments, and the name under which it is planned. */
export interface StandIn {
  name: string;
  type: string;
  field: string;
  arguments: readonly ArgumentNode[];
}

export interface StandIns {
  byName: ReadonlyMap<string, StandIn>;
  /** The stand-ins that `Type.field` requires. */
  requiredBy: ReadonlyMap<string, ReadonlySet<string>>;
}

/** Supergraph and plans in which what is required with arguments has names of its own. */
export interface RequiredArguments {
  /** To be planned with in place of the supergraph. */
  supergraphSdl: string;
  /** The plan for the subgraphs as they are. */
  restore: (plan: QueryPlan) => QueryPlan;
}

type Fielded = ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode;

const isFielded = (node: DefinitionNode): node is Fielded =>
  node.kind === Kind.OBJECT_TYPE_DEFINITION || node.kind === Kind.INTERFACE_TYPE_DEFINITION;

/**
 * `@requires(fields: "depth(unit: FEET)")` is planned as if arguments did not matter: the field takes whatever `depth` stands in the answer,
 * and the client who asks for `depth` in metres gets feet. So each of these gets a field without arguments in its stead, which a plan
 * cannot mistake for another. Nothing when no field is required with arguments.
 */
export function separateArguments(supergraphSdl: string): RequiredArguments | undefined {
  if (!/requires: "[^"]*\(/.test(supergraphSdl)) return undefined;
  const { definitions, ...document } = parse(supergraphSdl, { noLocation: true });
  const { replace, standIns } = createStandIns(definitions.filter(isFielded));
  const replaced = definitions.map((node) =>
    isFielded(node) ? { ...node, fields: node.fields?.map((field) => replace(node, field)) } : node,
  );
  const added = replaced.map((node) => (isFielded(node) ? { ...node, fields: withStandIns(node, standIns) } : node));
  return { supergraphSdl: print({ ...document, definitions: added }), restore: (plan) => restorePlan(plan, standIns) };
}

function createStandIns(types: readonly Fielded[]) {
  const byName = new Map<string, StandIn>();
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
  return { replace, standIns: { byName, requiredBy } satisfies StandIns };
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

/** Beside each field its stand-ins, known to the same subgraphs; those of an interface are also fields of what implements it. */
function withStandIns({ name, interfaces = [], fields = [] }: Fielded, { byName }: StandIns): FieldDefinitionNode[] {
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
