import { Kind, parse, print, visit, type ConstDirectiveNode, type ObjectTypeDefinitionNode } from 'graphql';

const HINT = '@cacheControl(maxAge: 60, scope: "PUBLIC")';
/** A string instead of an enum, which would have to belong to a subgraph. */
const DEFINITION = 'directive @cacheControl(maxAge: Int, scope: String) on OBJECT | INTERFACE';

const directiveOf = (text: string): ConstDirectiveNode =>
  (parse(`type A ${text} { a: Int }`, { noLocation: true }).definitions[0] as ObjectTypeDefinitionNode).directives![0]!;

/** The supergraph with every type public and cacheable for a minute. */
export function cacheable(supergraphSdl: string): string {
  const document = visit(parse(supergraphSdl, { noLocation: true }), {
    SchemaDefinition: (node) => ({
      ...node,
      directives: [
        ...(node.directives ?? []),
        directiveOf('@link(url: "https://example.org/cacheControl/v1.0", import: ["@cacheControl"])'),
      ],
    }),
    enter(node) {
      if (node.kind !== Kind.OBJECT_TYPE_DEFINITION && node.kind !== Kind.INTERFACE_TYPE_DEFINITION) return undefined;
      return { ...node, directives: [...(node.directives ?? []), directiveOf(HINT)] };
    },
  });
  return `${print(document)}\n${DEFINITION}`;
}
