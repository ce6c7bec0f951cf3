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
import { withoutRootTypes } from './untyped-root-fragments.ts';
import { settleConditions } from './fold-conditions.ts';
import { readSupergraph } from './supergraph.ts';
import { answerable } from './unsatisfiable.ts';
import { withPlanVariables } from '../variables.ts';

const require = createRequire(import.meta.url);

const DEFER = 'directive @defer(label: String, if: Boolean! = true) on FRAGMENT_SPREAD | INLINE_FRAGMENT';

/**
 * Without named fragments planning is cheaper. The number of plans that are compared is bounded: one operation over interfaces of several
 * subgraphs can have more than anyone can wait for.
 */
const PLANNING = { incrementalDelivery: { enableDefer: true }, reuseQueryFragments: false, debug: { maxEvaluatedPlans: 500 } };

/** Reads a composed supergraph and plans its operations in this thread. Throws when it is none. */
export function planHere(supergraphSdl: string): Planner {
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
        const document = settleConditions(withoutIntrospection(written));
        return serialize(restore(answerable(() => planOf(document, operationName), document, operationName)));
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
 * Apollo's planner fails at some deferred fragments: at fields with `@requires` of other subgraphs, at fragments on members of a union. Planned
 * in one piece, their parts are right as well, and only as late as the first answer.
 */
function plannedOr(plan: () => string, inOnePiece: () => string): string {
  try {
    return plan();
  } catch {
    return inOnePiece();
  }
}

const serialize = (plan: QueryPlan): string =>
  JSON.stringify(plan, (key, value: unknown) => (key === 'operation' && typeof value === 'string' ? withoutRootTypes(value) : value));

function read(supergraphSdl: string): Supergraph {
  const { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES: supportedFeatures, Supergraph: Reader } = federation();
  return Reader.build(supergraphSdl, { supportedFeatures, validateSupergraph: false });
}

// Loaded only when they are needed: a process that plans in a thread of its own does without 60 MB.
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
