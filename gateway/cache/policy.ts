import { getOperationAST, type DocumentNode, type ExecutionResult, type GraphQLSchema, type OperationDefinitionNode } from 'graphql';
import type { Identity } from '#shared/base/identity.ts';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';
import { fragmentsOf } from '../graphql/ast.ts';
import type { Operation } from '../engine/types.ts';
import { policyOfSelection, readHints, type CachePolicy, type Hints } from './hints.ts';

export interface CachePolicies {
  of: (request: Pick<Operation, 'document'> & { operationName?: string | null | undefined }) => CachePolicy;
  /** What of the viewer a response can depend on. Equal scopes, sources and variables have equal responses. */
  scopeOf: (operation: Operation) => string;
  /** The `Cache-Control` header of a response. */
  headerOf: (request: Parameters<CachePolicies['of']>[0], result: ExecutionResult) => string;
}

interface PolicyOptions {
  appliedDirectives: AppliedDirectives;
  schema: GraphQLSchema;
  isProtected: (document: DocumentNode) => boolean;
}

/** All of an identity that a response can depend on. */
export const ownScope = ({ viewer, forwarded }: Identity): string => JSON.stringify([viewer, forwarded]);

/** Reads `@cacheControl` of the supergraph. A field without a hint is not cacheable and private to its viewer. */
export function createCachePolicies({ appliedDirectives, schema, isProtected }: PolicyOptions): CachePolicies {
  const hints = readHints(appliedDirectives, schema);
  const known = new WeakMap<DocumentNode, Map<string, CachePolicy>>();

  const of: CachePolicies['of'] = ({ document, operationName }) => {
    const policies = known.get(document) ?? new Map<string, CachePolicy>();
    known.set(document, policies);
    const name = operationName ?? '';
    const policy = policies.get(name) ?? policyOf(document, operationName ?? undefined, schema, hints);
    policies.set(name, policy);
    return policy;
  };
  const isShared = (request: Parameters<typeof of>[0]): boolean => of(request).isPublic && !isProtected(request.document);

  return {
    of,
    scopeOf: (operation) => (isShared(operation) ? '' : ownScope(operation.identity)),
    headerOf(request, { data, errors }) {
      const { maxAge } = of(request);
      if (!data || errors || maxAge <= 0) return 'no-store';
      return `max-age=${maxAge}, ${isShared(request) ? 'public' : 'private'}`;
    },
  };
}

function policyOf(document: DocumentNode, operationName: string | undefined, schema: GraphQLSchema, hints: Hints): CachePolicy {
  const { operation, selectionSet } = getOperationAST(document, operationName) as OperationDefinitionNode;
  const root = schema.getRootType(operation)!;
  const start = { maxAge: Number.POSITIVE_INFINITY, isPublic: operation !== 'mutation' };
  const { maxAge, isPublic } = policyOfSelection(selectionSet, root, start, { schema, hints, fragments: fragmentsOf(document), root });
  return { maxAge: operation === 'query' && Number.isFinite(maxAge) ? maxAge : 0, isPublic };
}
