import type { DocumentNode } from 'graphql';
import type { RequestContext } from './apollo-server.ts';
import { isIncremental, type Engine } from '../engine/types.ts';
import { retryAfterOf, statusOf } from '../engine/results.ts';
import type { DocumentValidator } from './validated-documents.ts';
import type { UseErrors } from '../plugins/use-errors.ts';

/** A response, ready to send. */
export interface FastPathResponse {
  status: number;
  cacheControl: string;
  /** Seconds. */
  retryAfter?: number | undefined;
  body: string;
}

/** Undefined when Apollo Server must handle the request. */
export type FastPath = (body: unknown, context: RequestContext) => Promise<FastPathResponse> | undefined;

interface FastPathOptions {
  engine: Engine;
  documents: DocumentValidator;
  errors: UseErrors;
}

interface KnownRequest {
  query: string;
  operationName: string | undefined;
  variables: Record<string, unknown> | undefined;
}

/**
 * Serves valid queries and mutations without Apollo Server, which would add nothing to them. A document is read once; rules that depend on
 * the viewer and the variables are checked on every request.
 */
export function createFastPath({ engine, documents, errors }: FastPathOptions): FastPath {
  return (body, context) => {
    const request = plainRequest(body);
    const document = request && documents.readPlain(request.query);
    return document && respond(request, document, context);
  };

  async function respond(request: KnownRequest, document: DocumentNode, context: RequestContext): Promise<FastPathResponse> {
    const { query: source, operationName, variables } = request;
    const { correlationId, identity, readsSchema } = context;
    try {
      documents.validate({ document, operationName, variables, viewer: identity.viewer, readsSchema });
      const result = await engine.execute({ source, document, operationName, variables, ...context });
      if (isIncremental(result)) throw new Error('a document with deferred parts was taken for a plain one');
      return {
        status: statusOf(result),
        retryAfter: retryAfterOf(result),
        cacheControl: documents.cacheControl({ document, operationName }, result),
        body: JSON.stringify(errors.formatResult(result, correlationId)),
      };
    } catch (error) {
      return { status: 400, cacheControl: 'no-store', body: JSON.stringify({ errors: [errors.format(error, correlationId)] }) };
    }
  }
}

/** A request with nothing but an operation. Apollo Server handles all others. */
function plainRequest(body: unknown): KnownRequest | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { query, operationName, variables, extensions } = body as Readonly<Record<string, unknown>>;
  if (typeof query !== 'string' || (extensions !== undefined && extensions !== null)) return undefined;
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') return undefined;
  if (variables !== undefined && variables !== null && (typeof variables !== 'object' || Array.isArray(variables))) return undefined;
  return { query, operationName: operationName || undefined, variables: (variables as KnownRequest['variables']) ?? undefined };
}
