import { buildOperationContext, executeQueryPlan, type GraphQLDataSource, type ServiceMap } from '@apollo/gateway';
import { operationFromDocument, ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { QueryPlanner, type FetchNode, type QueryPlan } from '@apollo/query-planner';
import { getVariableValues, type ExecutionResult, type GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { SubgraphRequest, SubgraphTransport } from '#shared/kit/transport.ts';
import { executeSubgraphRequest, openStream } from '../engine/execute-subgraph-request.ts';
import { isStart, type Engine, type EngineOptions, type Operation } from '../engine/types.ts';
import { checkScalars } from '../engine/planning/supergraph.ts';
import { catchAsResult, mapEvents } from '../engine/results.ts';
import { readResponse, type Reporting } from '../engine/subgraph-errors.ts';

interface Prepared {
  /** For a subscription: the plan of each event. */
  plan: QueryPlan;
  /** For a subscription: the fetch that opens the stream. */
  primary: FetchNode | undefined;
  context: ReturnType<typeof buildOperationContext>;
}

const MAX_CACHED_PLANS = 2_000;
/** One operation over interfaces of several subgraphs can have too many plans to compare them all. */
const MAX_EVALUATED_PLANS = 500;
/** A service name that no subgraph can have. It returns the current event. */
const EVENT = '#event';

/**
 * The engine on @apollo/gateway's own executor, without its `ApolloGateway` class: that one can neither subscribe nor load a supergraph
 * with authorization directives, and would keep a second planner.
 */
export function openApolloEngine({ supergraphSdl, transports, scalars, log, subgraphErrors }: EngineOptions): Engine {
  const supergraph = Supergraph.build(supergraphSdl, {
    supportedFeatures: ROUTER_SUPPORTED_SUPERGRAPH_FEATURES,
    validateSupergraph: false,
  });
  const schema = checkScalars(supergraph.apiSchema().toGraphQLJSSchema(), scalars);
  const prepare = createPlans(supergraph, schema);
  const reporting = { log, subgraphErrors };
  const run = createRunner(supergraph, transports, reporting);

  return {
    schema,
    async execute(operation) {
      return catchAsResult(async () => {
        const ready = prepare(operation);
        return refuseVariables(schema, ready, operation) ?? run(ready, operation);
      });
    },
    async subscribe(operation) {
      const patience = operation.deadline - Date.now();
      return catchAsResult(async () => {
        const ready = prepare(operation);
        const refused = refuseVariables(schema, ready, operation);
        if (refused || !ready.primary) return refused ?? run(ready, operation);
        const { serviceName } = ready.primary;
        const request = { ...primaryRequest(ready.primary, operation), wantsStart: operation.wantsStart };
        const respond = async (event: ExecutionResult): Promise<ExecutionResult> => {
          if (isStart(event)) return event;
          const response = readResponse(serviceName, event, { request, reporting });
          const result = await catchAsResult(() => run(ready, { ...operation, deadline: Date.now() + patience }, response));
          const cursor = event.extensions?.['cursor'];
          return cursor === undefined ? result : { ...result, extensions: { cursor } };
        };
        const events = await openStream(serviceName, transports[serviceName], request, reporting);
        return Symbol.asyncIterator in events ? mapEvents(events, respond) : respond(events);
      });
    },
    close: async () => undefined,
  };
}

/** Query plans, cached by source. */
function createPlans(supergraph: Supergraph, schema: GraphQLSchema): (operation: Operation) => Prepared {
  const api = supergraph.apiSchema();
  const planner = new QueryPlanner(supergraph, { debug: { maxEvaluatedPlans: MAX_EVALUATED_PLANS } });
  const prepared = new LRUCache<string, Prepared>({ max: MAX_CACHED_PLANS });

  return ({ source, document, operationName }) => {
    const memo = `${operationName ?? ''}\n${source}`;
    const known = prepared.get(memo);
    if (known) return known;
    const named = operationName ? { operationName } : {};
    const { node } = planner.buildQueryPlan(operationFromDocument(api, document, named));
    const context = buildOperationContext({ schema, operationDocument: document, ...named });
    const made: Prepared =
      node?.kind === 'Subscription'
        ? { plan: { kind: 'QueryPlan', node: eventNode(node) }, primary: node.primary, context }
        : { plan: { kind: 'QueryPlan', ...(node && { node }) }, primary: undefined, context };
    prepared.set(memo, made);
    return made;
  };
}

type Run = (prepared: Prepared, operation: Operation, event?: ExecutionResult) => Promise<ExecutionResult>;

/** Runs plans on the subgraphs; with an event, the plan of a subscription. */
function createRunner(supergraph: Supergraph, transports: EngineOptions['transports'], reporting: Reporting): Run {
  const api = supergraph.apiSchema();
  const supergraphSchema = supergraph.schema.toGraphQLJSSchema();
  const services: ServiceMap = Object.create(null);
  for (const { name } of supergraph.subgraphsMetadata()) services[name] = sourceOf(name, transports[name], reporting);

  return async ({ plan, context }, operation, event) => {
    const serviceMap: ServiceMap = event ? { ...services, [EVENT]: { process: async () => event as never } } : services;
    const { source, document, operationName, variables } = operation;
    const request = { query: source, operationName, variables };
    const requestContext = {
      logger: reporting.log,
      request,
      context: operation,
      metrics: {},
      schema: context.schema,
      source,
      document,
      queryHash: '',
    };
    const { data, errors } = await executeQueryPlan(plan, serviceMap, requestContext as never, context, supergraphSchema, api);
    // Data that could not be merged is null, not missing: the request itself was valid.
    return { data: (data as ExecutionResult['data']) ?? null, ...(errors && { errors }) };
  };
}

const sourceOf = (
  name: string,
  transport: SubgraphTransport | undefined,
  reporting: Reporting,
): GraphQLDataSource<Operation & Record<string, unknown>> => ({
  process: async ({ request, context }) =>
    (await executeSubgraphRequest(name, transport, requestOf(request as FetchRequest, context as Operation), reporting)) as never,
});

interface FetchRequest {
  query: string;
  operationName?: string | undefined;
  variables?: Record<string, unknown> | undefined;
}

const requestOf = (
  { query, operationName, variables }: FetchRequest,
  { identity, correlationId, deadline }: Operation,
): SubgraphRequest => ({
  query,
  operationName,
  variables,
  identity,
  correlationId,
  deadline,
});

/** The planner plans subscriptions, but the executor refuses to run them. So the event stands for the first fetch of a query. */
const eventNode = ({ primary, rest }: Extract<QueryPlan['node'], { kind: 'Subscription' }>) => ({
  kind: 'Sequence' as const,
  nodes: [{ ...primary, serviceName: EVENT }, ...(rest ? [rest] : [])],
});

function refuseVariables(schema: GraphQLSchema, { context }: Prepared, { variables }: Operation): ExecutionResult | undefined {
  const { errors } = getVariableValues(schema, context.operation.variableDefinitions ?? [], variables ?? {}, { maxErrors: 50 });
  return errors && { errors };
}

function primaryRequest({ operation: query, operationName, variableUsages = [] }: FetchNode, operation: Operation): SubgraphRequest {
  const used = Object.entries(operation.variables ?? {}).filter(([name]) => variableUsages.includes(name));
  return requestOf({ query, operationName, variables: Object.fromEntries(used) }, operation);
}
