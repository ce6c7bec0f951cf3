import { parse, print, visit, type ConstDirectiveNode } from 'graphql';

/**
 * Sorts resolvable keys before the others. To return to a subgraph, a plan uses its first key, resolvable or not: with `@key(fields:
 * "code", resolvable: false) @key(fields: "id")` it sent `{ code }` to a resolver that only knows ids.
 */
export function resolvableKeysFirst(supergraphSdl: string): string {
  if (!supergraphSdl.includes('resolvable: false')) return supergraphSdl;
  const sorted = visit(parse(supergraphSdl, { noLocation: true }), {
    ObjectTypeDefinition: ({ directives = [], ...type }) => ({ ...type, directives: sortKeys(directives) }),
    InterfaceTypeDefinition: ({ directives = [], ...type }) => ({ ...type, directives: sortKeys(directives) }),
  });
  return print(sorted);
}

const sortKeys = (directives: readonly ConstDirectiveNode[]): readonly ConstDirectiveNode[] =>
  directives.toSorted((one, other) => Number(isDeadEnd(one)) - Number(isDeadEnd(other)));

const isDeadEnd = ({ name, arguments: given = [] }: ConstDirectiveNode): boolean =>
  name.value === 'join__type' &&
  given.some((each) => each.name.value === 'resolvable' && 'value' in each.value && each.value.value === false);
