import {
  isInterfaceType,
  isObjectType,
  Kind,
  valueFromASTUntyped,
  type ASTNode,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type Location,
  type SelectionSetNode,
  type VariableDefinitionNode,
} from 'graphql';

/* Helpers over valid documents, used in several places. */

/** The response key of a field. */
export const keyOf = ({ alias, name }: FieldNode): string => alias?.value ?? name.value;

/** The definition of a field; undefined for meta fields such as `__typename`. */
export const fieldOf = (parent: GraphQLNamedType | undefined | null, { name }: FieldNode): GraphQLField<unknown, unknown> | undefined =>
  isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name.value] : undefined;

export const fragmentsOf = ({ definitions }: DocumentNode): Map<string, FragmentDefinitionNode> =>
  new Map(definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each]] : [])));

/** The directives of all selections of a document. */
export function directivesIn({ definitions }: DocumentNode): DirectiveNode[] {
  const within = ({ selections }: SelectionSetNode): DirectiveNode[] =>
    selections.flatMap((node) => {
      const below = node.kind !== Kind.FRAGMENT_SPREAD && node.selectionSet ? within(node.selectionSet) : [];
      return node.directives?.length ? [...node.directives, ...below] : below;
    });
  return definitions.flatMap((each) => ('selectionSet' in each ? within(each.selectionSet) : []));
}

/**
 * Removes the source locations of a document, which take twice the memory of the rest. Variable definitions keep theirs: errors about their
 * values name it.
 */
export function forgetPlaces<T extends ASTNode>(node: T): T {
  for (const below of Object.values(node) as unknown[]) {
    if (Array.isArray(below)) (below as ASTNode[]).forEach(forgetPlaces);
    else if (isNode(below)) forgetPlaces(below);
  }
  const { kind, loc } = node;
  const kept = kind === Kind.VARIABLE_DEFINITION && loc ? ({ start: loc.start, end: loc.end, source: loc.source } as Location) : undefined;
  return Object.assign(node, { loc: kept });
}

const isNode = (value: unknown): value is ASTNode => typeof value === 'object' && value !== null && 'kind' in value;

type Variables = Readonly<Record<string, unknown>>;

/** The variables of a request with the default values of its operation. */
export function variablesOf(definitions: readonly VariableDefinitionNode[] = [], given: Variables = {}): Variables {
  const defaults = definitions.flatMap(({ variable, defaultValue }) =>
    defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)] as const] : [],
  );
  return defaults.length > 0 ? { ...Object.fromEntries(defaults), ...given } : given;
}

/** False when this `@skip` or `@include` excludes its selection. */
export function isIncluded({ name, arguments: [condition] = [] }: DirectiveNode, variables: Variables): boolean {
  if (name.value !== 'skip' && name.value !== 'include') return true;
  const value = condition?.value;
  const holds = value?.kind === Kind.VARIABLE ? variables[value.name.value] : value?.kind === Kind.BOOLEAN && value.value;
  return holds === (name.value === 'include');
}
