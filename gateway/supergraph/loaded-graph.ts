import { setImmediate as breathe } from 'node:timers/promises';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { RouteHandlerMethod } from 'fastify';
import type { Log } from '#shared/base/log.ts';
import type { Admission } from '#shared/base/admission.ts';
import { withAdmission } from './with-admission.ts';
import { createFastPath, type FastPath } from './fast-path.ts';
import { warmUp } from '../engine/planning/warm-up.ts';
import { openEngine, type SokoEngine } from './open-engine.ts';
import { planPersisted } from '../engine/planning/plans-file.ts';
import type { Planners } from '../engine/planning/planner-queue.ts';
import type { Engine, EngineOptions, Operation } from '../engine/types.ts';
import type { DedupeOptions } from '../dedupe/dedupe-operations.ts';
import { startApolloServer, type RequestContext } from './apollo-server.ts';
import type { PersistedOperations } from './persisted-operations.ts';
import { createDocumentValidator, type DocumentValidator } from './validated-documents.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { Limits } from '../plugins/use-limits.ts';
import { applySchemaRules, readSchemaRules, type SchemaRules } from './schema-rules.ts';

/** Everything made of one supergraph. A request finishes on the graph it began on, whatever is reloaded meanwhile. */
export interface LoadedGraph {
  readonly engine: Engine;
  readonly documents: DocumentValidator;
  readonly fastPath: FastPath;
  /** What of the viewer a response can depend on. Viewers with equal scopes may share it. */
  readonly scopeOf: (operation: Operation) => string;
  readonly coalesces: SchemaRules['coalesces'];
  /** Apollo Server's handler for requests outside the fast path. */
  readonly apolloHandler: RouteHandlerMethod;
  /** The engine without the schema rules, when it is Soko's own. */
  readonly core: SokoEngine | undefined;
}

export interface LoadedGraphOptions extends Pick<
  EngineOptions,
  'supergraphSdl' | 'transports' | 'scalars' | 'entityStore' | 'subgraphErrors'
> {
  openEngine?: ((options: EngineOptions) => Engine | Promise<Engine>) | undefined;
  /** Default: plans in this thread. */
  planners?: Planners | undefined;
  production: boolean;
  limits: Limits;
  dedupe?: DedupeOptions | undefined;
  /** Admission control of the whole gateway, over all its graphs. */
  admission: Admission;
  persistedOperations: PersistedOperations;
  /** File of the query plans of persisted operations. Default: none. */
  queryPlansFile?: string | undefined;
  errors: UseErrors;
  log: Log;
}

/** Rejects when the supergraph cannot be served. Recent operations of `previous` are planned when this resolves. */
export async function openLoadedGraph(options: LoadedGraphOptions, previous?: LoadedGraph): Promise<LoadedGraph> {
  const {
    supergraphSdl,
    transports,
    scalars,
    entityStore,
    subgraphErrors,
    production,
    limits,
    persistedOperations,
    queryPlansFile,
    errors,
    log,
  } = options;
  const planner = await options.planners?.plannerOf(supergraphSdl);
  const core = await (options.openEngine ?? openEngine)({ supergraphSdl, transports, scalars, planner, entityStore, subgraphErrors, log });
  await breathe();
  const rules = readSchemaRules(supergraphSdl, core.schema);
  const engine = applySchemaRules(withAdmission(core, options.admission), rules, options.dedupe);
  const documents = createDocumentValidator(engine.schema, { production, rules, limits });
  await breathe();
  const apollo = await startApolloServer({ engine, documents, errors, limits, persistedOperations, log });
  const fastPath = createFastPath({ engine, documents, errors });
  const apolloHandler = fastifyApolloHandler(apollo, { context: async ({ graphql }) => graphql as RequestContext });
  const { scopeOf } = rules.caching;
  const graph: LoadedGraph = {
    engine,
    documents,
    fastPath,
    apolloHandler,
    scopeOf,
    coalesces: rules.coalesces,
    core: isSokoEngine(core) ? core : undefined,
  };
  if (graph.core && !previous) await planPersisted(graph.core, { bodies: persistedOperations.bodies, file: queryPlansFile, log });
  if (graph.core && previous?.core) log.info(await warmUp(previous.core, graph.core), 'plans were taken over');
  return graph;
}

const isSokoEngine = (engine: Engine): engine is SokoEngine => 'planCache' in engine;
