import { isNonNullType, separateOperations, TypeInfo, visit, visitWithTypeInfo, type DocumentNode, type GraphQLSchema } from 'graphql';

interface Written {
  document: DocumentNode;
  operationName: string | undefined;
}

/**
 * Nullable variables that must not be null at runtime: GraphQL allows them at a required position that has a default value. graphql-js
 * finds the null only while executing, which a gateway leaves to subgraphs.
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
