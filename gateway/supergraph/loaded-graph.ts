import { setImmediate as breathe } from 'node:timers/promises';
import { fastifyApolloHandler } from '@as-integrations/fastify';
import type { RouteHandlerMethod } from 'fastify';
import type { Log } from '#shared/base/log.ts';
import type { Admission } from '#shared/base/admission.ts';
import { admitEngine } from './with-admission.ts';
import { createDirect, type AnswerDirectly } from './fast-path.ts';
import { handOver } from '../engine/planning/warm-up.ts';
import { openEngine, type SokoEngine } from './open-engine.ts';
import { planKnown } from '../engine/planning/plans-file.ts';
import type { Planners } from '../engine/planning/planner-queue.ts';
import type { Engine, EngineOptions, Operation } from '../engine/types.ts';
import type { Sharing } from '../dedupe/dedupe-operations.ts';
import { startApolloServer, type RequestContext } from './apollo-server.ts';
import type { KnownOperations } from './persisted-operations.ts';
import { createOperations, type Operations } from './validated-documents.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { Limits } from '../plugins/use-limits.ts';
import { applyRules, readRules, type Rules } from './schema-rules.ts';

/** Everything that is made of one supergraph. A request that begins on it ends on it, whatever is reloaded meanwhile. */
export interface Graph {
  readonly engine: Engine;
  readonly operations: Operations;
  readonly direct: AnswerDirectly;
  /** What of the viewer an answer can depend on: who differs in nothing else may share it. */
  readonly scopeOf: (operation: Operation) => string;
  readonly coalesces: Rules['coalesces'];
  /** Apollo Server's answer to whatever is not answered directly. */
  readonly answer: RouteHandlerMethod;
  /** The engine without the rules, where it is Soko's own. */
  readonly core: SokoEngine | undefined;
}

export interface GraphOptions extends Pick<EngineOptions, 'supergraphSdl' | 'transports' | 'scalars' | 'entityStore' | 'subgraphErrors'> {
  openEngine?: ((options: EngineOptions) => Engine | Promise<Engine>) | undefined;
  /** Who plans. Default: this thread. */
  planners?: Planners | undefined;
  production: boolean;
  limits: Limits;
  sharing?: Sharing | undefined;
  /** To the gateway, whatever graphs it has. */
  admission: Admission;
  known: KnownOperations;
  /** Where the plans of known operations are kept. Default: nowhere. */
  plansFile?: string | undefined;
  errors: UseErrors;
  log: Log;
}

/** Rejects when the supergraph cannot be served. What was asked of `previous` lately is ready when this resolves. */
export async function openGraph(options: GraphOptions, previous?: Graph): Promise<Graph> {
  const { supergraphSdl, transports, scalars, entityStore, subgraphErrors, production, limits, known, plansFile, errors, log } = options;
  const planner = await options.planners?.plannerOf(supergraphSdl);
  const core = await (options.openEngine ?? openEngine)({ supergraphSdl, transports, scalars, planner, entityStore, subgraphErrors, log });
  await breathe();
  const rules = readRules(supergraphSdl, core.schema);
  const engine = applyRules(admitEngine(core, options.admission), rules, options.sharing);
  const operations = createOperations(engine.schema, { production, rules, limits });
  await breathe();
  const apollo = await startApolloServer({ engine, operations, errors, limits, known, log });
  const direct = createDirect({ engine, operations, errors });
  const answer = fastifyApolloHandler(apollo, { context: async ({ graphql }) => graphql as RequestContext });
  const { scopeOf } = rules.caching;
  const graph: Graph = {
    engine,
    operations,
    direct,
    answer,
    scopeOf,
    coalesces: rules.coalesces,
    core: isSokoEngine(core) ? core : undefined,
  };
  if (graph.core && !previous) await planKnown(graph.core, { bodies: known.bodies, file: plansFile, log });
  if (graph.core && previous?.core) log.info(await handOver(previous.core, graph.core), 'plans were taken over');
  return graph;
}

const isSokoEngine = (engine: Engine): engine is SokoEngine => 'preparations' in engine;
