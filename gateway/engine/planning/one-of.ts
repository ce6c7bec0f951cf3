import { Kind, parse, print, visit, type ConstDirectiveNode, type DocumentNode } from 'graphql';

const NAME = 'oneOf';
const ONE_OF: ConstDirectiveNode = { kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: NAME } };

/** A supergraph without `@oneOf`, and a way to restore it. */
export interface OneOf {
  supergraphSdl: string;
  /** The API schema with `@oneOf` where it was. */
  restore: (apiSdl: string) => string;
}

/** Removes `@oneOf`: Apollo's libraries refuse supergraphs with it, which other tools compose. */
export function separateOneOf(supergraphSdl: string): OneOf {
  if (!supergraphSdl.includes(`@${NAME}`)) return { supergraphSdl, restore: (apiSdl) => apiSdl };
  const names = new Set<string>();
  const document: DocumentNode = visit(parse(supergraphSdl, { noLocation: true }), {
    DirectiveDefinition: ({ name }) => (name.value === NAME ? null : undefined),
    InputObjectTypeDefinition({ directives = [], ...type }) {
      const others = directives.filter(({ name }) => name.value !== NAME);
      if (others.length === directives.length) return undefined;
      names.add(type.name.value);
      return { ...type, directives: others };
    },
  });
  return { supergraphSdl: print(document), restore: (apiSdl) => withOneOf(apiSdl, names) };
}

const withOneOf = (apiSdl: string, names: ReadonlySet<string>): string =>
  print(
    visit(parse(apiSdl, { noLocation: true }), {
      InputObjectTypeDefinition: (type) =>
        names.has(type.name.value) ? { ...type, directives: [...(type.directives ?? []), ONE_OF] } : undefined,
    }),
  );
