import type { QueryPlan } from '@apollo/query-planner';
import { Kind, type DefinitionNode, type DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Operation } from '../types.ts';
import type { Identity } from '#shared/base/identity.ts';
import type { Planner } from './planner.ts';
import { prepare, type Prepared } from '../prepare.ts';
import type { Kit } from '../run.ts';
import type { LoadedSupergraph } from './supergraph.ts';

export type PlanRequest = Pick<Operation, 'source' | 'document' | 'operationName'>;

/** An operation and its plan, as one engine passes them to the next. */
export interface Planned extends PlanRequest {
  /** JSON. */
  plan: string;
}

/** Planned operations, ready to run. */
export interface PlanCache {
  /** Returns at once when the plan is cached; otherwise the operation is planned once for all concurrent requests. */
  of(request: PlanRequest & { identity?: Identity }): Prepared | Promise<Prepared>;
  /** Adds a plan. */
  insert(planned: Planned): void;
  /** Most recently requested first. */
  recent(): Planned[];
}

interface Options {
  supergraph: LoadedSupergraph;
  planner: Planner;
  kit: Kit;
}

interface CachedPlan {
  request: PlanRequest;
  plan: string;
  prepared: Prepared;
}

const MAX_PLANS = 2_000;
/** Characters of sources and plans. Their compiled form takes several times as much memory. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

export function createPlanCache({ supergraph, planner, kit }: Options): PlanCache {
  const cache = new LRUCache<string, CachedPlan>({
    max: MAX_PLANS,
    maxSize: MAX_CHARACTERS,
    sizeCalculation: ({ request, plan }) => request.source.length + plan.length,
  });
  const inFlight = new Map<string, Promise<Prepared>>();

  function store(request: PlanRequest, plan: string): Prepared {
    const { document, operationName } = request;
    const prepared = prepare({ supergraph, kit, plan: JSON.parse(plan) as QueryPlan, document, operationName });
    cache.set(memoOf(request), { request, plan, prepared });
    return prepared;
  }

  async function settle(memo: string, request: PlanRequest, plan: Promise<string>): Promise<Prepared> {
    try {
      return store(request, await plan);
    } finally {
      inFlight.delete(memo);
    }
  }

  return {
    of({ source, document, operationName, identity }) {
      const request: PlanRequest = { source, document, operationName: nameIn(document, operationName) };
      const memo = memoOf(request);
      const ready = cache.get(memo)?.prepared ?? inFlight.get(memo);
      if (ready) return ready;
      const plan = planner.plan({ source, operationName: request.operationName }, identity && callerOf(identity));
      if (typeof plan === 'string') return store(request, plan);
      const pending = settle(memo, request, plan);
      inFlight.set(memo, pending);
      return pending;
    },
    insert: ({ plan, ...request }) => void store(request, plan),
    recent: () => [...cache.values()].map(({ request, plan }) => ({ ...request, plan })),
  };
}

/** The only operation of a document is the same operation, with or without its name. */
function nameIn({ definitions }: DocumentNode, operationName: string | undefined): string | undefined {
  if (operationName === undefined) return undefined;
  const isOperation = ({ kind }: DefinitionNode): boolean => kind === Kind.OPERATION_DEFINITION;
  return definitions.filter(isOperation).length > 1 ? operationName : undefined;
}

/** Planning capacity is shared per viewer; anonymous viewers share it per address. */
const callerOf = ({ viewer, client }: Identity): string => (viewer ? `viewer ${viewer.id}` : `address ${client?.ip ?? ''}`);

const memoOf = ({ source, operationName }: Omit<PlanRequest, 'document'>): string => `${operationName ?? ''}\n${source}`;
