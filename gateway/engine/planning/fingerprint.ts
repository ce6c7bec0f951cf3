import { createHash } from 'node:crypto';
import {
  getNamedType,
  Kind,
  parse,
  print,
  TypeInfo,
  visit,
  visitWithTypeInfo,
  type ASTNode,
  type DefinitionNode,
  type DocumentNode,
  type FieldDefinitionNode,
  type GraphQLSchema,
  type TypeNode,
} from 'graphql';

/** A hash of the parts of a supergraph that the plan of an operation depends on. Equal fingerprints have equal plans. */
export type FingerprintOf = (document: DocumentNode) => string;

interface Definition {
  /** The definition without its fields. */
  head: string;
  fields: ReadonlyMap<string, { text: string; type: string }>;
  /** Related types: its interfaces, their implementations, the members of a union. */
  related: readonly string[];
  /** Words of the field sets in its directives (keys, requirements ...) by field; '' is the type itself. */
  words: ReadonlyMap<string, readonly string[]>;
}

/**
 * Fingerprints over one supergraph. A fingerprint covers the fields that an operation or a field set names, in every reachable type, with
 * the directives that say which subgraph resolves them: a little more than needed, never less.
 */
export function createFingerprints(supergraphSdl: string, schema: GraphQLSchema): FingerprintOf {
  const definitions = definitionsOf(parse(supergraphSdl, { noLocation: true }));
  return (document) => {
    const { types, names } = touchedBy(document, schema);
    const closed = closure(definitions, types, names);
    const hash = createHash('sha256');
    for (const name of [...closed].toSorted()) {
      const { head, fields } = definitions.get(name)!;
      hash.update(head);
      for (const field of [...names].toSorted()) hash.update(fields.get(field)?.text ?? '');
    }
    return hash.digest('base64url');
  };
}

function touchedBy(document: DocumentNode, schema: GraphQLSchema): { types: Set<string>; names: Set<string> } {
  const types = new Set<string>();
  const names = new Set<string>();
  const info = new TypeInfo(schema);
  const collect = visitWithTypeInfo(info, {
    enter(node) {
      const type = info.getType() ?? info.getParentType();
      if (type) types.add(getNamedType(type).name);
      if (node.kind === Kind.FIELD) names.add(node.name.value);
    },
  });
  visit(document, collect);
  return { types, names };
}

/**
 * Every type that a planner may pass through. Fields needed on the way are added to the names and may lead to further types, so this
 * repeats until nothing is added.
 */
function closure(definitions: ReadonlyMap<string, Definition>, types: ReadonlySet<string>, names: Set<string>): Set<string> {
  const closed = new Set([...types].filter((type) => definitions.has(type)));
  let size;
  do {
    size = closed.size + names.size;
    // A set may grow while it is iterated.
    for (const type of closed) {
      for (const next of reachable(definitions.get(type)!, names)) if (definitions.has(next)) closed.add(next);
    }
  } while (closed.size + names.size > size);
  return closed;
}

/** Types reachable from one type by the fields of these names. Adds the names in their field sets. */
function reachable({ related, fields, words }: Definition, names: Set<string>): string[] {
  for (const word of words.get('') ?? []) names.add(word);
  const types = [...related];
  for (const name of names) {
    const field = fields.get(name);
    if (!field) continue;
    types.push(field.type);
    for (const word of words.get(name) ?? []) names.add(word);
  }
  return types;
}

function definitionsOf({ definitions }: DocumentNode): Map<string, Definition> {
  const read = new Map<string, Definition>();
  const textOf = printer(definitions);
  const related = relationsOf(definitions);
  for (const each of definitions) {
    if (!('name' in each) || !each.name || each.kind === Kind.DIRECTIVE_DEFINITION || each.kind === Kind.FRAGMENT_DEFINITION) continue;
    const name = each.name.value;
    const fields = ('fields' in each ? (each.fields ?? []) : []) as readonly FieldDefinitionNode[];
    read.set(name, {
      head: textOf({ ...each, fields: [] } as DefinitionNode),
      fields: new Map(fields.map((field) => [field.name.value, { text: textOf(field), type: namedType(field.type) }])),
      related: related.get(name) ?? [],
      words: new Map([['', wordsOf(each)], ...fields.map((field) => [field.name.value, wordsOf(field)] as const)]),
    });
  }
  return read;
}

/** Prints definitions with subgraph names as plans use them. Descriptions do not matter. */
function printer(definitions: readonly DefinitionNode[]): (node: DefinitionNode | FieldDefinitionNode) => string {
  const graphs = definitions.find((each) => each.kind === Kind.ENUM_TYPE_DEFINITION && each.name.value === 'join__Graph');
  const values = (graphs?.kind === Kind.ENUM_TYPE_DEFINITION && graphs.values) || [];
  const names = new Map(values.map((value) => [value.name.value, value.directives?.[0] && print(value.directives[0].arguments![0]!)]));
  return (node) =>
    print({ ...node, description: undefined } as ASTNode).replaceAll(/\bgraph: (\w+)/g, (text, graph: string) => names.get(graph) ?? text);
}

function relationsOf(definitions: readonly DefinitionNode[]): Map<string, string[]> {
  const related = new Map<string, string[]>();
  const relate = (one: string, other: string): void => {
    related.set(one, [...(related.get(one) ?? []), other]);
    related.set(other, [...(related.get(other) ?? []), one]);
  };
  for (const each of definitions) {
    if ('interfaces' in each) for (const { name } of each.interfaces ?? []) relate(each.name.value, name.value);
    if (each.kind === Kind.UNION_TYPE_DEFINITION) for (const { name } of each.types ?? []) relate(each.name.value, name.value);
  }
  return related;
}

/** Words of all strings in the directives of a definition: more than field sets, which does no harm. */
function wordsOf({ directives = [] }: { readonly directives?: readonly ASTNode[] }): string[] {
  const words: string[] = [];
  for (const directive of directives) visit(directive, { StringValue: ({ value }) => void words.push(...(value.match(/\w+/g) ?? [])) });
  return words;
}

function namedType(type: TypeNode): string {
  return type.kind === Kind.NAMED_TYPE ? type.name.value : namedType(type.type);
}
