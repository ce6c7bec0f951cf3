import {
  isTypeDefinitionNode,
  Kind,
  parse,
  print,
  visit,
  type ASTNode,
  type ConstDirectiveNode,
  type DirectiveDefinitionNode,
  type DocumentNode,
  type SchemaDefinitionNode,
  type SchemaExtensionNode,
  type TypeDefinitionNode,
} from 'graphql';
import { hiddenFrom, membersOf, tagsOf } from './visibility.ts';

/** What only the house itself uses: no contract is made of it. */
const INTERNAL = 'internal';

const [EXTENSION, DEFINITION] = parse(
  `extend schema @link(url: "https://specs.apollo.dev/inaccessible/v0.2", for: SECURITY)
  directive @inaccessible on FIELD_DEFINITION | OBJECT | INTERFACE | UNION | ARGUMENT_DEFINITION | SCALAR | ENUM | ENUM_VALUE | INPUT_OBJECT | INPUT_FIELD_DEFINITION`,
  { noLocation: true },
).definitions as [SchemaExtensionNode, DirectiveDefinitionNode];
const HIDDEN: ConstDirectiveNode = { kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: 'inaccessible' } };

/** The audiences that a supergraph has contracts for: those that a field of Query is tagged with. */
export function audiencesOf(supergraphSdl: string): string[] {
  const document = parse(supergraphSdl, { noLocation: true });
  const [query] = rootsOf(document);
  const fields = typesOf(document)
    .filter(({ name }) => name.value === query)
    .flatMap(membersOf);
  return [...new Set(fields.flatMap(tagsOf))].filter((audience) => audience !== INTERNAL).toSorted();
}

/**
 * The supergraph as one audience gets it: what is not for it can be neither asked for nor read about, and is still there for the planner,
 * which needs keys that nobody sees.
 */
export function contractOf(supergraphSdl: string, audience: string): string {
  const document = parse(supergraphSdl, { noLocation: true });
  const hidden = hiddenFrom({ definitions: typesOf(document), roots: new Set(rootsOf(document)), audience });
  const marked = visit(document, { enter: (node) => (hidden.has(node) ? withHidden(node) : undefined) }) as DocumentNode;
  const isKnown = document.definitions.some((each) => each.kind === Kind.DIRECTIVE_DEFINITION && each.name.value === HIDDEN.name.value);
  return print(isKnown ? marked : withDefinition(marked));
}

const withDefinition = ({ definitions, ...rest }: DocumentNode): DocumentNode => ({
  ...rest,
  definitions: [...definitions.map((each) => (each.kind === Kind.SCHEMA_DEFINITION ? withLink(each) : each)), DEFINITION],
});

/** Query first. */
function rootsOf({ definitions }: DocumentNode): string[] {
  const schema = definitions.find((each) => each.kind === Kind.SCHEMA_DEFINITION);
  const types = schema?.operationTypes.toSorted((a, b) => Number(b.operation === 'query') - Number(a.operation === 'query')) ?? [];
  return types.map(({ type }) => type.name.value);
}

const typesOf = ({ definitions }: DocumentNode): TypeDefinitionNode[] =>
  definitions.filter(isTypeDefinitionNode).filter((definition) => !isMachinery(definition));

/** Types of specifications, such as `join__Graph`. */
const isMachinery = ({ name }: TypeDefinitionNode): boolean => name.value.includes('__');

const withLink = (schema: SchemaDefinitionNode): SchemaDefinitionNode => ({
  ...schema,
  directives: [...(schema.directives ?? []), ...(EXTENSION.directives ?? [])],
});

function withHidden(node: ASTNode): ASTNode {
  const directives = ('directives' in node && node.directives) || [];
  const isHidden = directives.some(({ name }) => name.value === HIDDEN.name.value);
  return isHidden ? node : ({ ...node, directives: [...directives, HIDDEN] } as ASTNode);
}
