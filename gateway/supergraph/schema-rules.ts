import { parse, type GraphQLSchema } from 'graphql';
import { readAnnotations } from '../graphql/applied-directives.ts';
import { createCachePolicies, type CachePolicies } from '../cache/policy.ts';
import { createCosts, type Costs } from '../cost/costs.ts';
import { meterEngine } from '../cost/with-cost.ts';
import type { Engine } from '../engine/types.ts';
import { shareOperations, type Sharing } from '../dedupe/dedupe-operations.ts';
import { guardEngine } from '../authorization/with-authorization.ts';
import { readRequirements } from '../authorization/requirements.ts';
import { createRights, type Rights } from '../authorization/authorization.ts';

/** What the directives of a supergraph lay down for those who ask it. */
export interface Rules {
  rights: Rights;
  costs: Costs;
  caching: CachePolicies;
  /** Whether a client that does not keep up with this subscription field may skip to its latest event. */
  coalesces: (field: string) => boolean;
}

/** Reads the rules of a supergraph once; `schema` is what its clients see. */
export function readRules(supergraphSdl: string, schema: GraphQLSchema): Rules {
  const annotations = readAnnotations(parse(supergraphSdl, { noLocation: true }));
  const subscriptions = schema.getSubscriptionType()?.name;
  const rights = createRights(schema, readRequirements(annotations, schema));
  return {
    rights,
    costs: createCosts(annotations, schema),
    caching: createCachePolicies({ annotations, schema, isProtected: rights.isProtected }),
    coalesces: (field) => annotations.of('coalesce', `${subscriptions}.${field}`).length > 0,
  };
}

/** The engine as clients get it: nobody is shown what he may not see, costs are told, and equal work is done once. */
export const applyRules = (engine: Engine, { rights, costs, caching }: Rules, sharing: Sharing = {}): Engine =>
  shareOperations(meterEngine(guardEngine(engine, rights), costs), { sharing, scopeOf: caching.scopeOf });
