import {
  getOperationAST,
  OperationTypeNode,
  parse,
  validate,
  visit,
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { Problem } from '../shared/errors.ts';
import type { Viewer } from '../shared/identity.ts';
import type { CachePolicies } from './cache/policy.ts';
import type { Rules } from './rules.ts';
import { useCost } from './plugins/use-cost.ts';
import { useIntrospection } from './plugins/use-introspection.ts';
import { useLimits, type Limits } from './plugins/use-limits.ts';

const KEPT_DOCUMENTS = 2_000;

export interface Admission {
  document: DocumentNode;
  operationName?: string | null | undefined;
  variables: Readonly<Record<string, unknown>> | null | undefined;
  viewer: Viewer | null;
  /** Whether an anonymous viewer is shown the schema where it is hidden from others. */
  readsSchema: boolean;
}

/** What stands between a text and the engine, on every way in. */
export interface Operations {
  /** The document of a text, valid; or the errors. Apollo Server does the same for HTTP, under the same limit of tokens. */
  read: (source: string) => { document: DocumentNode; errors?: never } | { document?: never; errors: readonly GraphQLError[] };
  /** Remembers a document that Apollo Server found valid, when it can be answered without it: in one piece, and over HTTP. */
  keep: (source: string, document: DocumentNode) => void;
  /** What was kept. */
  known: (source: string) => DocumentNode | undefined;
  /** The operation that is meant. Throws a Problem when it may not run. */
  admit: (admission: Admission) => OperationDefinitionNode;
  /** The header `Cache-Control` of its answer. */
  cacheControl: CachePolicies['headerOf'];
}

interface OperationsOptions {
  /** Hides the schema from anonymous viewers. */
  production: boolean;
  rules: Pick<Rules, 'costs' | 'caching'>;
  limits: Limits;
}

export function createOperations(schema: GraphQLSchema, { production, rules: { costs, caching }, limits }: OperationsOptions): Operations {
  const documents = new LRUCache<string, DocumentNode>({ max: KEPT_DOCUMENTS });
  const plain = new LRUCache<string, DocumentNode>({ max: KEPT_DOCUMENTS });
  const size = useLimits(schema, limits);
  const cost = useCost(costs, limits);
  const introspection = useIntrospection({ production });

  return {
    read(source) {
      const known = documents.get(source);
      if (known) return { document: known };
      let document: DocumentNode;
      try {
        document = parse(source, { maxTokens: limits.tokens });
      } catch (error) {
        return { errors: [error as GraphQLError] };
      }
      const errors = validate(schema, document);
      if (errors.length > 0) return { errors };
      documents.set(source, document);
      return { document };
    },
    keep(source, document) {
      if (isPlain(document)) plain.set(source, document);
    },
    known: (source) => plain.get(source),
    cacheControl: caching.headerOf,
    admit({ document, operationName, variables, viewer, readsSchema }) {
      const operation = getOperationAST(document, operationName);
      if (!operation) throw unresolved(operationName);
      // graphql-js validates nothing in an operation of a kind that the schema does not have.
      if (!schema.getRootType(operation.operation))
        throw new Problem('GRAPHQL_VALIDATION_FAILED', `The schema has no ${operation.operation}.`);
      const refused =
        size.check(document) ?? cost({ document, operationName, variables }) ?? introspection(document, readsSchema || viewer !== null);
      if (refused) throw refused;
      return operation;
    },
  };
}

function isPlain(document: DocumentNode): boolean {
  let plain = true;
  visit(document, {
    OperationDefinition: ({ operation }) => {
      if (operation === OperationTypeNode.SUBSCRIPTION) plain = false;
    },
    Directive: ({ name }) => {
      if (name.value === 'defer') plain = false;
    },
  });
  return plain;
}

const unresolved = (operationName: string | null | undefined): Problem =>
  new Problem(
    'OPERATION_RESOLUTION_FAILURE',
    operationName ? 'The document has no operation of this name.' : 'The document has several operations: say which by operationName.',
  );
