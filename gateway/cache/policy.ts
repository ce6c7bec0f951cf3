import {
  getNamedType,
  getOperationAST,
  isCompositeType,
  isInterfaceType,
  Kind,
  type DocumentNode,
  type ExecutionResult,
  type FieldNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Annotations } from '../annotations.ts';
import { fieldOf, fragmentsOf } from '../documents.ts';
import type { Operation } from '../engine.ts';

/** How long the answer to an operation may be kept, and for whom. */
export interface CachePolicy {
  /** In seconds. */
  maxAge: number;
  /** It is the same for everybody: each of its coordinates says so. */
  isPublic: boolean;
}

export interface CachePolicies {
  of: (asked: Pick<Operation, 'document'> & { operationName?: string | null | undefined }) => CachePolicy;
  /** What of the viewer the answer can depend on: operations with equal ones, equal texts and variables have the same answer. */
  scopeOf: (operation: Operation) => string;
  /** The header `Cache-Control` of an answer. */
  headerOf: (asked: Parameters<CachePolicies['of']>[0], result: ExecutionResult) => string;
}

interface PolicyOptions {
  annotations: Annotations;
  schema: GraphQLSchema;
  isProtected: (document: DocumentNode) => boolean;
}

/** Reads `@cacheControl` of the supergraph. What says nothing is not kept, and is nobody's but the viewer's. */
export function createCachePolicies({ annotations, schema, isProtected }: PolicyOptions): CachePolicies {
  const hintOf = hintReader(annotations, schema);
  const known = new WeakMap<DocumentNode, Map<string, CachePolicy>>();

  const of: CachePolicies['of'] = ({ document, operationName }) => {
    const policies = known.get(document) ?? new Map<string, CachePolicy>();
    known.set(document, policies);
    const name = operationName ?? '';
    const policy = policies.get(name) ?? policyOf({ document, operationName: operationName ?? undefined, schema, hintOf });
    policies.set(name, policy);
    return policy;
  };
  const isShared = (asked: Parameters<typeof of>[0]): boolean => of(asked).isPublic && !isProtected(asked.document);

  return {
    of,
    scopeOf: (operation) => (isShared(operation) ? '' : JSON.stringify([operation.identity.viewer, operation.identity.forwarded])),
    headerOf(asked, { data, errors }) {
      const { maxAge } = of(asked);
      if (!data || errors || maxAge <= 0) return 'no-store';
      return `max-age=${maxAge}, ${isShared(asked) ? 'public' : 'private'}`;
    },
  };
}

interface Hint {
  maxAge?: number;
  scope?: string;
  inheritMaxAge?: boolean;
}

type HintOf = (parent: GraphQLNamedType, field: GraphQLField<unknown, unknown>) => Hint;

/** What is said at the field goes before what is said at its type; behind an interface, one that is private makes it private for all. */
function hintReader(annotations: Annotations, schema: GraphQLSchema): HintOf {
  const hintAt = (coordinate: string): Hint => annotations.of('cacheControl', coordinate)[0] ?? {};
  return (parent, { name, type }) => {
    const hint = { ...hintAt(getNamedType(type).name), ...hintAt(`${parent.name}.${name}`) };
    const behind = isInterfaceType(parent) ? schema.getPossibleTypes(parent) : [];
    return behind.some((each) => hintAt(`${each.name}.${name}`).scope === 'PRIVATE') ? { ...hint, scope: 'PRIVATE' } : hint;
  };
}

interface Walk {
  document: DocumentNode;
  operationName: string | undefined;
  schema: GraphQLSchema;
  hintOf: HintOf;
}

function policyOf({ document, operationName, schema, hintOf }: Walk): CachePolicy {
  const { operation, selectionSet } = getOperationAST(document, operationName) as OperationDefinitionNode;
  const fragments = fragmentsOf(document);
  const root = schema.getRootType(operation)!;
  const seen = new Set<string>();
  let maxAge = Number.POSITIVE_INFINITY;
  let isPublic = operation !== 'mutation';

  const walkField = (field: GraphQLField<unknown, unknown>, node: FieldNode, parent: GraphQLNamedType, isWithinPublic: boolean): void => {
    const hint = hintOf(parent, field);
    const type = getNamedType(field.type);
    const inherits = hint.inheritMaxAge === true || (parent !== root && !isCompositeType(type));
    maxAge = Math.min(maxAge, hint.maxAge ?? (inherits ? maxAge : 0));
    const isFieldPublic = hint.scope === undefined ? inherits && isWithinPublic : hint.scope === 'PUBLIC';
    isPublic &&= isFieldPublic;
    if (node.selectionSet) walk(node.selectionSet, type, isFieldPublic);
  };
  const walk = (set: SelectionSetNode, parent: GraphQLNamedType, isWithinPublic: boolean): void => {
    for (const selection of set.selections) {
      if (selection.kind === Kind.FIELD) {
        const field = fieldOf(parent, selection);
        if (field) walkField(field, selection, parent, isWithinPublic);
        // How much of the schema is shown is a matter of who asks.
        else if (selection.name.value !== '__typename') isPublic = false;
        continue;
      }
      const spread = selection.kind === Kind.FRAGMENT_SPREAD ? `${selection.name.value} ${isWithinPublic}` : undefined;
      if (spread !== undefined && seen.has(spread)) continue;
      if (spread !== undefined) seen.add(spread);
      const part = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value)! : selection;
      const type = part.typeCondition ? schema.getType(part.typeCondition.name.value)! : parent;
      // What one type is said to be says nothing of the others that may stand there.
      walk(part.selectionSet, type, isWithinPublic && type === parent);
    }
  };
  walk(selectionSet, root, false);
  return { maxAge: operation === 'query' && Number.isFinite(maxAge) ? maxAge : 0, isPublic };
}
