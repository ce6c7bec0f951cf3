import { Kind, valueFromASTUntyped, type ConstDirectiveNode, type DocumentNode } from 'graphql';

export type Arguments = Readonly<Record<string, unknown>>;

/** The directives applied in a supergraph. */
export interface AppliedDirectives {
  /**
   * The arguments of each application of a directive (by the name in its specification) at a coordinate such as `Note`, `Note.text` or
   * `Query.notes(first:)`.
   */
  of: (directive: string, coordinate: string) => readonly Arguments[];
}

const NONE: readonly Arguments[] = [];

/** Reads the directives of a supergraph once. A supergraph may have renamed them in its `@link`s. */
export function readAppliedDirectives(supergraph: DocumentNode): AppliedDirectives {
  const names = specifiedNames(supergraph);
  const applied = new Map<string, Arguments[]>();
  const read = (coordinate: string, directives: readonly ConstDirectiveNode[] = []): void => {
    for (const directive of directives) {
      const name = names.get(directive.name.value);
      if (!name) continue;
      const key = `@${name} ${coordinate}`;
      applied.set(key, [...(applied.get(key) ?? []), argumentsOf(directive)]);
    }
  };
  for (const definition of supergraph.definitions) {
    if (!('name' in definition) || !definition.name || definition.kind === Kind.DIRECTIVE_DEFINITION) continue;
    const type = definition.name.value;
    read(type, definition.directives as readonly ConstDirectiveNode[] | undefined);
    for (const field of ('fields' in definition && definition.fields) || []) {
      const coordinate = `${type}.${field.name.value}`;
      read(coordinate, field.directives);
      for (const argument of ('arguments' in field && field.arguments) || []) {
        read(`${coordinate}(${argument.name.value}:)`, argument.directives);
      }
    }
  }
  return { of: (directive, coordinate) => applied.get(`@${directive} ${coordinate}`) ?? NONE };
}

/** The specified name of each directive by its name in this supergraph. */
function specifiedNames({ definitions }: DocumentNode): Map<string, string> {
  const names = new Map<string, string>();
  const schemas = definitions.filter(({ kind }) => kind === Kind.SCHEMA_DEFINITION || kind === Kind.SCHEMA_EXTENSION);
  const directives = schemas.flatMap((schema) => ('directives' in schema ? schema.directives : undefined) ?? []);
  for (const link of directives.filter(({ name }) => name.value === 'link')) {
    const { url, as, import: imports = [] } = argumentsOf(link as ConstDirectiveNode) as unknown as Link;
    const feature = /\/([^/]+)\/v[\d.]+$/.exec(url)?.[1];
    if (!feature) continue;
    const imported = imports.map((each) => (typeof each === 'string' ? { name: each } : each));
    if (!imported.some(({ name }) => name === `@${feature}`)) names.set(as ?? feature, feature);
    for (const { name, as: alias = name } of imported) names.set(alias.replace('@', ''), name.replace('@', ''));
  }
  return names;
}

interface Link {
  url: string;
  as?: string;
  import?: (string | { name: string; as?: string })[];
}

/** The arguments of one applied directive. */
export const argumentsOf = ({ arguments: given = [] }: ConstDirectiveNode): Arguments =>
  Object.fromEntries(given.map(({ name, value }) => [name.value, valueFromASTUntyped(value)]));
