import { operationFromDocument, ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { QueryPlanner, type QueryPlan } from '@apollo/query-planner';
import { extendSchema, isAbstractType, isObjectType, isInterfaceType, parse, type DocumentNode, type GraphQLSchema } from 'graphql';
import type { EngineOptions } from '../engine.ts';
import type { Kit } from './run.ts';

export interface LoadedSupergraph {
  /** What clients see. */
  schema: GraphQLSchema;
  plan: (document: DocumentNode, operationName: string | undefined) => QueryPlan;
  isOfType: Kit['isOfType'];
  /** The subgraph that resolves `Type.field`, where it is a single one. */
  ownerOf: (coordinate: string) => string | undefined;
  /** By name; an address may be empty. */
  subgraphs: ReadonlyMap<string, string>;
}

const DEFER = parse('directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT');

/**
 * Without named fragments a fetch can be read as it stands, and planning is cheaper. The number of plans that are compared is bounded: one
 * operation over interfaces of several subgraphs can have more than anyone can wait for.
 */
const PLANNING = { incrementalDelivery: { enableDefer: true }, reuseQueryFragments: false, debug: { maxEvaluatedPlans: 500 } };

/** Reads a composed supergraph. Throws when it is none. */
export function loadSupergraph({ supergraphSdl, scalars }: Pick<EngineOptions, 'supergraphSdl' | 'scalars'>): LoadedSupergraph {
  const supergraph = Supergraph.build(supergraphSdl, {
    supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
    validateSupergraph: false,
  });
  const api = supergraph.apiSchema();
  const planner = new QueryPlanner(supergraph, PLANNING);
  const schema = checkScalars(withDefer(api.toGraphQLJSSchema()), scalars);
  const metadata = supergraph.subgraphsMetadata();

  return {
    schema,
    plan: (document, operationName) =>
      planner.buildQueryPlan(operationFromDocument(api, document, operationName === undefined ? {} : { operationName })),
    isOfType: typeConditions(supergraph.schema.toGraphQLJSSchema()),
    ownerOf: owners(supergraph),
    subgraphs: new Map([...metadata].map(({ name, url }) => [name, url])),
  };
}

const withDefer = (schema: GraphQLSchema): GraphQLSchema => (schema.getDirective('defer') ? schema : extendSchema(schema, DEFER));

/** Custom scalars check literals and variables here already, as they do in the subgraphs. */
export function checkScalars(schema: GraphQLSchema, scalars: EngineOptions['scalars'] = {}): GraphQLSchema {
  for (const scalar of Object.values(scalars)) {
    const type = schema.getType(scalar.name);
    if (type) Object.assign(type, { parseValue: scalar.parseValue, parseLiteral: scalar.parseLiteral });
  }
  return schema;
}

function typeConditions(schema: GraphQLSchema): Kit['isOfType'] {
  return (typename, condition) => {
    if (typename === condition) return true;
    const type = schema.getType(typename);
    const abstract = schema.getType(condition);
    return isAbstractType(abstract) && (isObjectType(type) || isInterfaceType(type)) && schema.isSubType(abstract, type);
  };
}

/** Only asked when something went wrong, so the supergraph is read again each time. */
function owners(supergraph: Supergraph): LoadedSupergraph['ownerOf'] {
  return (coordinate) => {
    const owning = [...supergraph.subgraphs()].filter((subgraph) => {
      const field = subgraph.schema.elementByCoordinate(coordinate);
      return field !== undefined && !subgraph.metadata().isFieldExternal(field as never);
    });
    return owning.length === 1 ? owning[0]!.name : undefined;
  };
}
