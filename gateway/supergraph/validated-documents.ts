import {
  getOperationAST,
  Kind,
  OperationTypeNode,
  parse,
  validate,
  type DocumentNode,
  type GraphQLError,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { Problem } from '#shared/base/errors.ts';
import type { Viewer } from '#shared/base/identity.ts';
import type { CachePolicies } from '../cache/policy.ts';
import { directivesIn, forgetPlaces } from '../graphql/ast.ts';
import { refuseRootConditions } from '../graphql/root-conditions.ts';
import type { SchemaRules } from './schema-rules.ts';
import { useCost } from '../plugins/use-cost.ts';
import { useIntrospection } from '../plugins/use-introspection.ts';
import { useLimits, type Limits } from '../plugins/use-limits.ts';

const MAX_CACHED_DOCUMENTS = 2_000;
/** Levels of objects and lists in variables. */
const MAX_VARIABLE_DEPTH = 200;

interface CachedDocument {
  document: DocumentNode;
  /** Neither a subscription nor deferred. */
  isPlain: boolean;
  errors?: never;
}

export interface Validation {
  document: DocumentNode;
  operationName?: string | null | undefined;
  variables: Readonly<Record<string, unknown>> | null | undefined;
  viewer: Viewer | null;
  /** Whether an anonymous viewer may read a hidden schema. */
  readsSchema: boolean;
}

/** Checks operations before they reach the engine, on every transport. */
export interface DocumentValidator {
  /**
   * The valid document of a source, or its errors. Apollo Server does the same for HTTP, with the same token limit. Throws a Problem before
   * validation when the document is too large, or a subscription has conditions at its root.
   */
  read: (source: string) => { document: DocumentNode; errors?: never } | { document?: never; errors: readonly GraphQLError[] };
  /** The valid document of an operation that the fast path can serve: in one piece, over HTTP. Undefined for all others. */
  readPlain: (source: string) => DocumentNode | undefined;
  /** Throws the Problems that `read` throws. Ignores documents that do not parse. */
  measure: (source: string) => void;
  /** The operation to run. Throws a Problem when it may not run. */
  validate: (validation: Validation) => OperationDefinitionNode;
  /** The `Cache-Control` header of its response. */
  cacheControl: CachePolicies['headerOf'];
}

interface DocumentValidatorOptions {
  /** Hides the schema from anonymous viewers. */
  production: boolean;
  rules: Pick<SchemaRules, 'costs' | 'caching'>;
  limits: Limits;
}

export function createDocumentValidator(
  schema: GraphQLSchema,
  { production, rules: { costs, caching }, limits }: DocumentValidatorOptions,
): DocumentValidator {
  const cache = new LRUCache<string, CachedDocument>({ max: MAX_CACHED_DOCUMENTS });
  const size = useLimits(schema, limits);
  const cost = useCost(costs, limits);
  const introspection = useIntrospection({ production });

  function read(source: string): CachedDocument | { errors: readonly GraphQLError[] } {
    const known = cache.get(source);
    if (known) return known;
    let document: DocumentNode;
    try {
      document = parse(source, { maxTokens: limits.tokens });
    } catch (error) {
      return { errors: [error as GraphQLError] };
    }
    refuseBeforeValidation(document);
    const errors = validate(schema, document);
    if (errors.length > 0) return { errors };
    const read = { document: forgetPlaces(document), isPlain: isPlain(document) };
    cache.set(source, read);
    return read;
  }

  /** Refuses documents that would keep validation busy, or make it throw. */
  function refuseBeforeValidation(document: DocumentNode): void {
    const refused = size.check(document);
    if (refused) throw refused;
    refuseRootConditions(document);
  }

  return {
    read,
    measure(source) {
      if (cache.has(source)) return;
      const document = parsed(source, limits);
      if (document) refuseBeforeValidation(document);
    },
    readPlain(source) {
      const known = read(source);
      return 'isPlain' in known && known.isPlain ? known.document : undefined;
    },
    cacheControl: caching.headerOf,
    validate({ document, operationName, variables, viewer, readsSchema }) {
      if (isDeeperThan(MAX_VARIABLE_DEPTH, variables))
        throw new Problem('BAD_USER_INPUT', `Variables may be nested ${MAX_VARIABLE_DEPTH} levels deep.`);
      const operation = getOperationAST(document, operationName);
      if (!operation) throw unresolved(operationName);
      // graphql-js does not validate operations of a kind that the schema lacks.
      if (!schema.getRootType(operation.operation))
        throw new Problem('GRAPHQL_VALIDATION_FAILED', `The schema has no ${operation.operation}.`);
      const refused =
        size.check(document) ?? cost({ document, operationName, variables }) ?? introspection(document, readsSchema || viewer !== null);
      if (refused) throw refused;
      return operation;
    },
  };
}

function parsed(source: string, { tokens }: Limits): DocumentNode | undefined {
  try {
    return parse(source, { maxTokens: tokens });
  } catch {
    return undefined;
  }
}

/** Without recursion: it protects recursive code from values that would overflow its stack. */
function isDeeperThan(levels: number, value: unknown): boolean {
  let level = [value].filter(isComposite);
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > levels) return true;
    level = level.flatMap((each) => Object.values(each).filter(isComposite));
  }
  return false;
}

const isComposite = (value: unknown): value is object => typeof value === 'object' && value !== null;

function isPlain(document: DocumentNode): boolean {
  const streams = document.definitions.some(
    (each) => each.kind === Kind.OPERATION_DEFINITION && each.operation === OperationTypeNode.SUBSCRIPTION,
  );
  return !streams && !directivesIn(document).some(({ name }) => name.value === 'defer');
}

const unresolved = (operationName: string | null | undefined): Problem =>
  new Problem(
    'OPERATION_RESOLUTION_FAILURE',
    operationName ? 'The document has no operation of this name.' : 'The document has several operations: say which by operationName.',
  );
