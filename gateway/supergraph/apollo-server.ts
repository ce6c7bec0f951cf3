import { ApolloServer, type ApolloServerPlugin, type GraphQLResponse, type HTTPGraphQLHead } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginLandingPageDisabled, ApolloServerPluginUsageReportingDisabled } from '@apollo/server/plugin/disabled';
import { GraphQLError } from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import type { Identity } from '#shared/base/identity.ts';
import type { Log } from '#shared/base/log.ts';
import { isIncremental, type Engine, type IncrementalResult } from '../engine/types.ts';
import { retryAfterOf, statusOf } from '../engine/results.ts';
import type { DocumentValidator } from './validated-documents.ts';
import { requestsCost } from '../cost/with-cost.ts';
import type { PersistedOperations } from './persisted-operations.ts';
import type { UseErrors } from '../plugins/use-errors.ts';
import type { Access } from '../plugins/use-api-keys.ts';
import type { Limits } from '../plugins/use-limits.ts';

export interface RequestContext extends Access {
  identity: Identity;
  correlationId: string;
  deadline: number;
  /** Aborted when the client disconnects. */
  signal?: AbortSignal;
  /** The client does not accept incremental responses. */
  inOnePiece?: boolean;
  /** Returns the cost in the extensions of the response. */
  wantsCost?: boolean;
}

interface HttpOptions {
  engine: Engine;
  documents: DocumentValidator;
  errors: UseErrors;
  limits: Limits;
  persistedOperations: PersistedOperations;
  log: Log;
}

/**
 * Apollo Server reads, parses, validates and responds; the engine executes. It gets the schema and a plugin with `responseForOperation`
 * instead of its `gateway` option, which supports single results and @apollo/gateway's life cycle only.
 */
export async function startApolloServer({
  engine,
  documents,
  errors,
  limits,
  persistedOperations,
  log,
}: HttpOptions): Promise<ApolloServer<RequestContext>> {
  const server = new ApolloServer<RequestContext>({
    schema: engine.schema,
    introspection: true, // refused per viewer, see use-introspection
    csrfPrevention: true,
    allowBatchedHttpRequests: false,
    persistedQueries: { cache: readOnly(persistedOperations) },
    includeStacktraceInErrorResponses: false,
    stopOnTerminationSignals: false,
    parseOptions: { maxTokens: limits.tokens },
    formatError: (_formatted, error) => errors.format(methodRefused(error) ?? error),
    stringifyResult: (result) => JSON.stringify(result),
    logger: log,
    plugins: [
      runOn(engine, documents, errors),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginCacheControlDisabled(),
    ],
  });
  await server.start();
  return server;
}

/** Persisted operations for Apollo Server's hash lookup. Clients cannot add any. */
const readOnly = ({ byHash }: PersistedOperations) => ({
  get: async (key: string) => byHash(key.replace(/^apq:/, '')),
  set: async () => undefined,
  delete: async () => false,
});

/** Apollo Server reports a wrong HTTP method as BAD_REQUEST, like other errors. */
function methodRefused(error: unknown): Problem | undefined {
  const { http } = (error instanceof GraphQLError ? error.extensions : {}) as { http?: HTTPGraphQLHead };
  if (http?.status !== 405) return undefined;
  return new Problem('METHOD_NOT_ALLOWED', `This request must be sent by ${http.headers.get('allow')}.`);
}

const BAD_REQUEST = 400;

function runOn(engine: Engine, documents: DocumentValidator, errors: UseErrors): ApolloServerPlugin<RequestContext> {
  return {
    requestDidStart: async () => ({
      didResolveOperation: async ({ document, request, contextValue, response }) => {
        response.http.status = BAD_REQUEST; // of whatever is thrown here
        const { identity, readsSchema } = contextValue;
        const { variables } = request;
        const operationName = request.operationName || undefined;
        const { operation } = documents.validate({ document, operationName, variables, viewer: identity.viewer, readsSchema });
        if (operation === 'subscription')
          throw new Problem(
            'SUBSCRIPTION_OVER_HTTP',
            'Subscriptions are served over WebSocket at the same address, or to who accepts text/event-stream or multipart/mixed.',
          );
        delete response.http.status;
      },
      responseForOperation: async ({ document, source, request, contextValue, response }) => {
        const { variables, extensions } = request;
        const operationName = request.operationName || undefined;
        const wantsCost = contextValue.wantsCost || requestsCost(extensions);
        const result = await engine.execute({ source, document, operationName, variables, ...contextValue, wantsCost });
        if (isIncremental(result)) return { http: response.http, body: inParts(result, errors, contextValue.correlationId) };
        response.http.headers.set('cache-control', documents.cacheControl({ document, operationName }, result));
        response.http.status = statusOf(result);
        const retryAfter = retryAfterOf(result);
        if (retryAfter !== undefined) response.http.headers.set('retry-after', String(retryAfter));
        return { http: response.http, body: { kind: 'single', singleResult: errors.formatResult(result, contextValue.correlationId) } };
      },
    }),
  };
}

/** Apollo Server writes the parts as multipart/mixed. Clients that do not accept it get one piece, see `http/accept-multipart`. */
function inParts(
  { initialResult, subsequentResults }: IncrementalResult,
  errors: UseErrors,
  correlationId: string,
): GraphQLResponse['body'] {
  const { hasNext } = initialResult;
  async function* parts() {
    for await (const { incremental, ...rest } of subsequentResults) {
      yield { ...rest, ...(incremental && { incremental: incremental.map((part) => errors.formatResult(part, correlationId)) }) };
    }
  }
  return {
    kind: 'incremental',
    initialResult: { ...errors.formatResult(initialResult, correlationId), hasNext },
    subsequentResults: parts(),
  } as GraphQLResponse['body'];
}
