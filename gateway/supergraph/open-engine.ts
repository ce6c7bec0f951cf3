import type { ExecutionResult } from 'graphql';
import { executeSubgraphRequest, openStream } from '../engine/execute-subgraph-request.ts';
import { isStart, type Engine, type EngineOptions, type IncrementalResult, type Operation } from '../engine/types.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { cacheEntities } from '../cache/cache-entities.ts';
import { catchAsResult, mapEvents } from '../engine/results.ts';
import { dedupeFetches } from '../dedupe/dedupe-fetches.ts';
import { createTickLimiter } from '../engine/tick-limiter.ts';
import { readResponse } from '../engine/subgraph-errors.ts';
import { completeResponse } from '../engine/complete.ts';
import { deferredResults, hasDeferred } from '../engine/defer.ts';
import type { Planner } from '../engine/planning/planner.ts';
import { planInProcess } from '../engine/planning/in-process-planner.ts';
import { createPlanCache, type PlanCache } from '../engine/planning/plan-cache.ts';
import type { Prepared } from '../engine/prepare.ts';
import type { Kit, Run } from '../engine/run.ts';
import { loadSupergraph, type LoadedSupergraph } from '../engine/planning/supergraph.ts';

export interface SokoEngine extends Engine {
  readonly planCache: PlanCache;
  readonly planner: Planner;
}

/** Events that are joined in one turn of the event loop. */
const MAX_EVENTS_PER_TICK = 50;

/** Soko's own engine: runs Apollo's query plans, each compiled once. */
export function openEngine(options: EngineOptions): SokoEngine {
  const { supergraphSdl, transports, scalars, planner = planInProcess(supergraphSdl), entityStore: store } = options;
  const supergraph = loadSupergraph(planner.reading, scalars);
  const { schema } = supergraph;
  const executeRequest = (subgraph: string, request: SubgraphRequest) =>
    executeSubgraphRequest(subgraph, transports[subgraph], request, options);
  const kit: Kit = {
    // The cache is asked by those who fly, not by those who join: what they get may be older than what they know of the cache.
    executeFetch: dedupeFetches(executeRequest, store && cacheEntities(executeRequest, { supergraphSdl, schema, store })),
    isOfType: supergraph.isOfType,
  };
  const tick = createTickLimiter(MAX_EVENTS_PER_TICK);
  const planCache = createPlanCache({ supergraph, planner, kit });

  return {
    schema,
    planCache,
    planner,
    execute: (operation) =>
      catchAsResult(async () => {
        const known = planCache.of(operation);
        const prepared = known instanceof Promise ? await known : known;
        const isMutation = prepared.rootType === supergraph.schema.getMutationType();
        const run = start(prepared, isMutation ? { ...operation, signal: undefined, departure: operation.signal } : operation);
        return isRun(run) ? execute(run, prepared, supergraph) : run;
      }),
    subscribe: (operation) =>
      catchAsResult(async () => {
        const known = planCache.of(operation);
        const prepared = known instanceof Promise ? await known : known;
        const run = start(prepared, operation);
        if (!isRun(run)) return run;
        const { primary } = prepared;
        if (!primary) return respond(run, prepared, supergraph);
        const patience = operation.deadline - Date.now();
        const request = { ...primary.requestOf(run), wantsStart: operation.wantsStart };
        const join = (event: ExecutionResult): Promise<ExecutionResult> =>
          catchAsResult(async () => {
            if (isStart(event)) return event;
            await tick();
            const each = { ...run, ...fresh(), operation: { ...operation, deadline: Date.now() + patience } };
            primary.take(each, readResponse(primary.subgraph, event, { request, reporting: options }));
            return { ...(await respond(each, prepared, supergraph)), ...cursorOf(event) };
          });
        const events = await openStream(primary.subgraph, transports[primary.subgraph], request, options);
        return Symbol.asyncIterator in events ? mapEvents(events, join) : join(events);
      }),
    close: async () => planner.close(),
  };
}

/** Where the stream stands after an event is all that a subgraph may tell beside it. */
const cursorOf = ({ extensions }: ExecutionResult): Pick<ExecutionResult, 'extensions'> =>
  extensions?.['cursor'] === undefined ? {} : { extensions: { cursor: extensions['cursor'] } };

const fresh = (): Pick<Run, 'root' | 'errors' | 'lost' | 'deferred'> => ({ root: {}, errors: [], lost: [], deferred: [] });

function start({ coerce }: Prepared, operation: Operation): Run | ExecutionResult {
  const values = coerce(operation.variables);
  return 'errors' in values ? values : { operation, ...values, ...fresh() };
}

const isRun = (run: Run | ExecutionResult): run is Run => 'operation' in run;

async function execute(run: Run, prepared: Prepared, supergraph: LoadedSupergraph): Promise<ExecutionResult | IncrementalResult> {
  const first = await respond(run, prepared, supergraph);
  if (!first.data || run.operation.inOnePiece || !hasDeferred(run, prepared)) return first;
  return {
    initialResult: { ...first, hasNext: true },
    subsequentResults: deferredResults(run, first, { supergraph, prepared }),
  };
}

/** What is left may leave more. */
async function fetchDeferred(run: Run): Promise<void> {
  while (run.deferred.length > 0) await Promise.all(run.deferred.splice(0).map(async ({ work }) => work?.(run, [run.root])));
}

async function respond(run: Run, prepared: Prepared, { ownerOf }: LoadedSupergraph): Promise<ExecutionResult> {
  await prepared.step?.(run, [run.root]);
  if (run.operation.inOnePiece) await fetchDeferred(run);
  if (prepared.introspect) Object.assign(run.root, prepared.introspect(run.variables));
  return completeResponse(run, run.root, { shape: prepared.shapeOf(run), ownerOf });
}
