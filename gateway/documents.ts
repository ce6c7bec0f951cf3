import {
  isInterfaceType,
  isObjectType,
  Kind,
  valueFromASTUntyped,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type VariableDefinitionNode,
} from 'graphql';

/* What is read out of valid documents in several places. */

/** Its name in the answer. */
export const keyOf = ({ alias, name }: FieldNode): string => alias?.value ?? name.value;

/** The definition of a field; undefined for what every type has, such as `__typename`. */
export const fieldOf = (parent: GraphQLNamedType | undefined | null, { name }: FieldNode): GraphQLField<unknown, unknown> | undefined =>
  isObjectType(parent) || isInterfaceType(parent) ? parent.getFields()[name.value] : undefined;

export const fragmentsOf = ({ definitions }: DocumentNode): Map<string, FragmentDefinitionNode> =>
  new Map(definitions.flatMap((each) => (each.kind === Kind.FRAGMENT_DEFINITION ? [[each.name.value, each]] : [])));

type Variables = Readonly<Record<string, unknown>>;

/** The variables of a request with the default values of its operation. */
export function variablesOf(definitions: readonly VariableDefinitionNode[] = [], given: Variables = {}): Variables {
  const defaults = definitions.flatMap(({ variable, defaultValue }) =>
    defaultValue ? [[variable.name.value, valueFromASTUntyped(defaultValue)] as const] : [],
  );
  return defaults.length > 0 ? { ...Object.fromEntries(defaults), ...given } : given;
}

/** False when this `@skip` or `@include` leaves its selection out. */
export function isIncluded({ name, arguments: [condition] = [] }: DirectiveNode, variables: Variables): boolean {
  if (name.value !== 'skip' && name.value !== 'include') return true;
  const value = condition?.value;
  const holds = value?.kind === Kind.VARIABLE ? variables[value.name.value] : value?.kind === Kind.BOOLEAN && value.value;
  return holds === (name.value === 'include');
}
