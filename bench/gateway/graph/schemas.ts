import { buildSubgraphSchema } from '@apollo/subgraph';
import { buildSchema, isObjectType, parse, type GraphQLSchema } from 'graphql';
import { monolithResolvers, subgraphResolvers } from './resolvers.ts';
import { monolithTypeDefs, typeDefs, type SubgraphName } from './sdl.ts';

export const subgraphSchema = (name: SubgraphName): GraphQLSchema =>
  buildSubgraphSchema([{ typeDefs: parse(typeDefs[name]), resolvers: subgraphResolvers[name] as never }]);

export function monolithSchema(): GraphQLSchema {
  const schema = buildSchema(monolithTypeDefs);
  for (const [typeName, fields] of Object.entries(monolithResolvers)) {
    const type = schema.getType(typeName);
    if (!isObjectType(type)) throw new Error(`The monolith has no type ${typeName}`);
    for (const [name, resolve] of Object.entries(fields)) type.getFields()[name]!.resolve = resolve;
  }
  return schema;
}
