import { parse, type GraphQLSchema } from 'graphql';
import { readAppliedDirectives } from '../graphql/applied-directives.ts';
import { createCachePolicies, type CachePolicies } from '../cache/policy.ts';
import { createCosts, type Costs } from '../cost/costs.ts';
import { withCost } from '../cost/with-cost.ts';
import type { Engine } from '../engine/types.ts';
import { dedupeOperations, type DedupeOptions } from '../dedupe/dedupe-operations.ts';
import { withAuthorization } from '../authorization/with-authorization.ts';
import { readRequirements } from '../authorization/requirements.ts';
import { createAuthorization, type Authorization } from '../authorization/authorization.ts';

/** The rules that the directives of a supergraph define. */
export interface SchemaRules {
  authorization: Authorization;
  costs: Costs;
  caching: CachePolicies;
  /** Whether a lagging client may skip to the latest event of this subscription field. */
  coalesces: (field: string) => boolean;
}

/** Reads the rules of a supergraph once; `schema` is its API schema. */
export function readSchemaRules(supergraphSdl: string, schema: GraphQLSchema): SchemaRules {
  const appliedDirectives = readAppliedDirectives(parse(supergraphSdl, { noLocation: true }));
  const subscriptions = schema.getSubscriptionType()?.name;
  const authorization = createAuthorization(schema, readRequirements(appliedDirectives, schema));
  return {
    authorization,
    costs: createCosts(appliedDirectives, schema),
    caching: createCachePolicies({ appliedDirectives, schema, isProtected: authorization.isProtected }),
    coalesces: (field) => appliedDirectives.of('coalesce', `${subscriptions}.${field}`).length > 0,
  };
}

/** The engine with authorization, cost and dedupe. */
export const applySchemaRules = (engine: Engine, { authorization, costs, caching }: SchemaRules, dedupe: DedupeOptions = {}): Engine =>
  dedupeOperations(withCost(withAuthorization(engine, authorization), costs), { dedupe, scopeOf: caching.scopeOf });
