import { createRequire } from 'node:module';
import type { Schema, Supergraph } from '@apollo/federation-internals';
import { parse, type DocumentNode } from 'graphql';
import type { Planner } from './planner.ts';

const require = createRequire(import.meta.url);

const DEFER = 'directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT';

/**
 * Without named fragments planning is cheaper. The number of plans that are compared is bounded: one operation over interfaces of several
 * subgraphs can have more than anyone can wait for.
 */
const PLANNING = { incrementalDelivery: { enableDefer: true }, reuseQueryFragments: false, debug: { maxEvaluatedPlans: 500 } };

/** Reads a composed supergraph and plans its operations in this thread. Throws when it is none. */
export function planHere(supergraphSdl: string): Planner {
  // Loaded only when it is needed: a process that plans in a thread of its own does without 60 MB.
  const { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES: supportedFeatures, Supergraph: Reader } = federation();
  const supergraph = Reader.build(supergraphSdl, { supportedFeatures, validateSupergraph: false });
  const api = supergraph.apiSchema();
  const planOf = createPlan(supergraph, api);
  return {
    apiSdl: printApi(api),
    plan: ({ source, operationName }) => JSON.stringify(planOf(parse(source, { noLocation: true }), operationName)),
    close: () => undefined,
  };
}

const federation = () => require('@apollo/federation-internals') as typeof import('@apollo/federation-internals');
const queryPlanner = () => require('@apollo/query-planner') as typeof import('@apollo/query-planner');

/** By Apollo's own printer: that of graphql-js cannot print a default of a custom scalar that is an object. */
function printApi(api: Schema): string {
  const sdl = federation().printSchema(api);
  return sdl.includes('directive @defer(') ? sdl : `${sdl}\n${DEFER}`;
}

/** Apollo's planner, made for the first plan: what it keeps of a supergraph is more than the supergraph. */
function createPlan(supergraph: Supergraph, api: Schema) {
  const { operationFromDocument } = federation();
  let planner: InstanceType<ReturnType<typeof queryPlanner>['QueryPlanner']> | undefined;
  return (document: DocumentNode, operationName: string | undefined) => {
    planner ??= new (queryPlanner().QueryPlanner)(supergraph, PLANNING);
    return planner.buildQueryPlan(operationFromDocument(api, document, operationName === undefined ? {} : { operationName }));
  };
}
