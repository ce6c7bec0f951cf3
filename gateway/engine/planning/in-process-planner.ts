import { createRequire } from 'node:module';
import type { Schema, Supergraph } from '@apollo/federation-internals';
import type { QueryPlan } from '@apollo/query-planner';
import { buildASTSchema, parse, type DocumentNode } from 'graphql';
import { toPlanKeys } from '../aliases.ts';
import { composedDirectives } from './composed-directives.ts';
import { readDeferrals, withoutDefers } from '../deferrals.ts';
import { createFingerprints, type FingerprintOf } from './fingerprint.ts';
import { withoutIntrospection } from '../introspection.ts';
import { separateOneOf } from './one-of.ts';
import type { Planner } from './planner.ts';
import { separateArguments } from './requires-arguments.ts';
import { resolvableKeysFirst } from './resolvable-keys.ts';
import { stripRootTypeConditions } from './untyped-root-fragments.ts';
import { foldConditions } from './fold-conditions.ts';
import { readSupergraph } from './supergraph.ts';
import { planSatisfiable } from './unsatisfiable.ts';
import { withPlanVariables } from '../variables.ts';

const require = createRequire(import.meta.url);

const DEFER = 'directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT';

/**
 * Planning is cheaper without named fragments. The number of compared plans is limited: one operation over interfaces of several subgraphs
 * can have too many.
 */
const PLANNING = { incrementalDelivery: { enableDefer: true }, reuseQueryFragments: false, debug: { maxEvaluatedPlans: 500 } };

/** Reads a composed supergraph and plans its operations in this thread. Throws when the SDL is no supergraph. */
export function planInProcess(supergraphSdl: string): Planner {
  const oneOf = separateOneOf(supergraphSdl);
  const separated = separateArguments(oneOf.supergraphSdl);
  const supergraph = read(resolvableKeysFirst(separated?.supergraphSdl ?? oneOf.supergraphSdl));
  const planOf = createPlan(supergraph, supergraph.apiSchema());
  const restore = separated?.restore ?? ((plan: QueryPlan) => plan);
  const printed = printApi((separated ? read(oneOf.supergraphSdl) : supergraph).apiSchema());
  const { apiSdl, leaveOut } = composedDirectives(supergraphSdl, oneOf.restore(printed));
  let fingerprintOf: FingerprintOf | undefined;
  return {
    reading: readSupergraph(supergraphSdl, apiSdl),
    plan({ source, operationName }) {
      const inPlan = toPlanKeys(withPlanVariables(leaveOut(parse(source, { noLocation: true }))));
      const planned = (written: DocumentNode): string => {
        const document = foldConditions(withoutIntrospection(written));
        return serialize(restore(planSatisfiable(() => planOf(document, operationName), document, operationName)));
      };
      const deferring = readDeferrals(inPlan, operationName);
      return deferring
        ? plannedOr(
            () => planned(deferring.document),
            () => planned(withoutDefers(deferring.document)),
          )
        : planned(inPlan);
    },
    fingerprint(source) {
      fingerprintOf ??= createFingerprints(supergraphSdl, buildASTSchema(parse(apiSdl), { assumeValid: true }));
      return fingerprintOf(parse(source, { noLocation: true }));
    },
    close: () => undefined,
  };
}

/**
 * Apollo's planner fails on some deferred fragments: on fields with `@requires` of other subgraphs, and on fragments on members of a union.
 * Planned in one piece, their parts are still correct, only as late as the first response.
 */
function plannedOr(plan: () => string, inOnePiece: () => string): string {
  try {
    return plan();
  } catch {
    return inOnePiece();
  }
}

const serialize = (plan: QueryPlan): string =>
  JSON.stringify(plan, (key, value: unknown) =>
    key === 'operation' && typeof value === 'string' ? stripRootTypeConditions(value) : value,
  );

function read(supergraphSdl: string): Supergraph {
  const { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES: supportedFeatures, Supergraph: Reader } = federation();
  return Reader.build(supergraphSdl, { supportedFeatures, validateSupergraph: false });
}

// Loaded on use: a process that plans in a thread of its own saves 60 MB.
const federation = () => require('@apollo/federation-internals') as typeof import('@apollo/federation-internals');
const queryPlanner = () => require('@apollo/query-planner') as typeof import('@apollo/query-planner');

/** Apollo's own printer: graphql-js cannot print an object as the default value of a custom scalar. */
function printApi(api: Schema): string {
  const sdl = federation().printSchema(api);
  return sdl.includes('directive @defer(') ? sdl : `${sdl}\n${DEFER}`;
}

/** Creates Apollo's planner for the first plan: it keeps more memory than the supergraph. */
function createPlan(supergraph: Supergraph, api: Schema) {
  const { operationFromDocument } = federation();
  let planner: InstanceType<ReturnType<typeof queryPlanner>['QueryPlanner']> | undefined;
  return (document: DocumentNode, operationName: string | undefined) => {
    planner ??= new (queryPlanner().QueryPlanner)(supergraph, PLANNING);
    return planner.buildQueryPlan(operationFromDocument(api, document, operationName === undefined ? {} : { operationName }));
  };
}
