import { getOperationAST, type DocumentNode, type ExecutionResult, type GraphQLSchema, type OperationDefinitionNode } from 'graphql';
import type { Identity } from '#shared/base/identity.ts';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';
import { fragmentsOf } from '../graphql/ast.ts';
import type { Operation } from '../engine/types.ts';
import { policyOfSelection, readHints, type CachePolicy, type Hints } from './hints.ts';

export interface CachePolicies {
  of: (asked: Pick<Operation, 'document'> & { operationName?: string | null | undefined }) => CachePolicy;
  /** What of the viewer the answer can depend on: operations with equal ones, equal texts and variables have the same answer. */
  scopeOf: (operation: Operation) => string;
  /** The header `Cache-Control` of an answer. */
  headerOf: (asked: Parameters<CachePolicies['of']>[0], result: ExecutionResult) => string;
}

interface PolicyOptions {
  appliedDirectives: AppliedDirectives;
  schema: GraphQLSchema;
  isProtected: (document: DocumentNode) => boolean;
}

/** All that an answer can depend on of who asks. */
export const ownScope = ({ viewer, forwarded }: Identity): string => JSON.stringify([viewer, forwarded]);

/** Reads `@cacheControl` of the supergraph. What says nothing is not kept, and is nobody's but the viewer's. */
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
  const isShared = (asked: Parameters<typeof of>[0]): boolean => of(asked).isPublic && !isProtected(asked.document);

  return {
    of,
    scopeOf: (operation) => (isShared(operation) ? '' : ownScope(operation.identity)),
    headerOf(asked, { data, errors }) {
      const { maxAge } = of(asked);
      if (!data || errors || maxAge <= 0) return 'no-store';
      return `max-age=${maxAge}, ${isShared(asked) ? 'public' : 'private'}`;
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
