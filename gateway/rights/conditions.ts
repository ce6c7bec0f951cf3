import { Kind, valueFromASTUntyped, type DirectiveNode, type VariableDefinitionNode } from 'graphql';

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
