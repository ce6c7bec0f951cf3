import { isNonNullType, separateOperations, TypeInfo, visit, visitWithTypeInfo, type DocumentNode, type GraphQLSchema } from 'graphql';

interface Written {
  document: DocumentNode;
  operationName: string | undefined;
}

/**
 * The variables of an operation that may not be null wherever their own type says: one that may be left out is allowed where something is
 * required that has a default. graphql-js finds a null there only while executing, which a gateway leaves to subgraphs.
 */
export function requiredVariables(schema: GraphQLSchema, { document, operationName }: Written): ReadonlySet<string> {
  const separated = separateOperations(document);
  const own = operationName === undefined ? Object.values(separated)[0] : separated[operationName];
  const names = new Set<string>();
  const types = new TypeInfo(schema);
  const visitor = visitWithTypeInfo(types, {
    VariableDefinition: () => false,
    Variable({ name }) {
      if (isNonNullType(types.getInputType())) names.add(name.value);
    },
  });
  visit(own ?? document, visitor);
  return names;
}
