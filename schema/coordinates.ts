import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import {
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isObjectType,
  isUnionType,
  type GraphQLSchema,
} from 'graphql';

/** The schema that clients of a supergraph (or of one contract of it) see. Throws when the SDL is no supergraph. */
export const apiSchemaOf = (supergraphSdl: string): GraphQLSchema =>
  Supergraph.build(supergraphSdl, { supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES })
    .apiSchema()
    .toGraphQLJSSchema() as GraphQLSchema;

/**
 * Every schema coordinate that clients see, sorted: types, fields, arguments, input fields and enum values as the GraphQL specification writes
 * them (`Order`, `Order.total`, `Query.orders(first:)`, `OrderStatus.SHIPPED`), and the members of unions as `SearchResult = Order`.
 */
export function coordinatesOf(schema: GraphQLSchema): string[] {
  const coordinates = Object.values(schema.getTypeMap()).flatMap((type) => {
    if (isIntrospectionType(type)) return [];
    if (isEnumType(type)) return [type.name, ...type.getValues().map(({ name }) => `${type.name}.${name}`)];
    if (isUnionType(type)) return [type.name, ...type.getTypes().map(({ name }) => `${type.name} = ${name}`)];
    if (isInputObjectType(type)) return [type.name, ...Object.keys(type.getFields()).map((name) => `${type.name}.${name}`)];
    if (!isObjectType(type) && !isInterfaceType(type)) return [type.name];
    const fields = Object.values(type.getFields()).map(({ name, args }) => [
      `${type.name}.${name}`,
      ...args.map((argument) => `${type.name}.${name}(${argument.name}:)`),
    ]);
    return [type.name, ...fields.flat()];
  });
  return coordinates.sort();
}
