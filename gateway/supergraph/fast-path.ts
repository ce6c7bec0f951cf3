import type { DocumentNode } from 'graphql';
import type { RequestContext } from './apollo-server.ts';
import { isIncremental, type Engine } from '../engine/types.ts';
import { retryAfterOf, statusOf } from '../engine/results.ts';
import type { DocumentValidator } from './validated-documents.ts';
import type { UseErrors } from '../plugins/use-errors.ts';

/** An answer, ready to be sent. */
export interface FastPathResponse {
  status: number;
  cacheControl: string;
  /** Seconds. */
  retryAfter?: number | undefined;
  body: string;
}

/** Undefined when Apollo Server has to look at the request. */
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
 * Queries and mutations whose text is valid: nothing that Apollo Server does with a request is left to do for them. A text is read once; what
 * may depend on the viewer and the variables is decided anew each time, by the same rules.
 */
export function createFastPath({ engine, documents, errors }: FastPathOptions): FastPath {
  return (body, context) => {
    const request = plainRequest(body);
    const document = request && documents.readPlain(request.query);
    return document && answer(request, document, context);
  };

  async function answer(request: KnownRequest, document: DocumentNode, context: RequestContext): Promise<FastPathResponse> {
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

/** A request with nothing in it but an operation; of all others Apollo Server says what it thinks of them. */
function plainRequest(body: unknown): KnownRequest | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { query, operationName, variables, extensions } = body as Readonly<Record<string, unknown>>;
  if (typeof query !== 'string' || (extensions !== undefined && extensions !== null)) return undefined;
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') return undefined;
  if (variables !== undefined && variables !== null && (typeof variables !== 'object' || Array.isArray(variables))) return undefined;
  return { query, operationName: operationName || undefined, variables: (variables as KnownRequest['variables']) ?? undefined };
}
