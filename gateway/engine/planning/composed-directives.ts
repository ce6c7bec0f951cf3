import {
  DirectiveLocation,
  isTypeDefinitionNode,
  Kind,
  parse,
  print,
  specifiedScalarTypes,
  visit,
  type DocumentNode,
  type TypeNode,
} from 'graphql';

/** Executable directives of `@composeDirective`. */
export interface ComposedDirectives {
  /** The API schema with their definitions. */
  apiSdl: string;
  /** Removes them from an operation. */
  leaveOut: (document: DocumentNode) => DocumentNode;
}

const EXECUTABLE = new Set<string>([
  DirectiveLocation.QUERY,
  DirectiveLocation.MUTATION,
  DirectiveLocation.SUBSCRIPTION,
  DirectiveLocation.FIELD,
  DirectiveLocation.FRAGMENT_DEFINITION,
  DirectiveLocation.FRAGMENT_SPREAD,
  DirectiveLocation.INLINE_FRAGMENT,
  DirectiveLocation.VARIABLE_DEFINITION,
]);

/**
 * Apollo's planner treats whatever a `@link` imports as internal, and refuses operations that use it. Here these directives are valid in
 * operations; plans do not contain them.
 */
export function composedDirectives(supergraphSdl: string, apiSdl: string): ComposedDirectives {
  const { definitions: api } = parse(apiSdl, { noLocation: true });
  const known = new Set(api.flatMap((each) => (each.kind === Kind.DIRECTIVE_DEFINITION ? [each.name.value] : [])));
  const types = new Set([
    ...specifiedScalarTypes.map(({ name }) => name),
    ...api.filter(isTypeDefinitionNode).map(({ name }) => name.value),
  ]);
  const added = parse(supergraphSdl, { noLocation: true }).definitions.flatMap((each) => {
    if (each.kind !== Kind.DIRECTIVE_DEFINITION || known.has(each.name.value)) return [];
    const locations = each.locations.filter(({ value }) => EXECUTABLE.has(value));
    const isKnown = locations.length > 0 && (each.arguments ?? []).every(({ type }) => types.has(named(type)));
    return isKnown ? [{ ...each, locations }] : [];
  });
  if (added.length === 0) return { apiSdl, leaveOut: (document) => document };
  const names = new Set(added.map(({ name }) => name.value));
  return {
    apiSdl: [apiSdl, ...added.map(print)].join('\n'),
    leaveOut: (document) => visit(document, { Directive: ({ name }) => (names.has(name.value) ? null : undefined) }),
  };
}

const named = (type: TypeNode): string => (type.kind === Kind.NAMED_TYPE ? type.name.value : named(type.type));
