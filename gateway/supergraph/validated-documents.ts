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

const KEPT_DOCUMENTS = 2_000;
/** Of objects and lists in variables. */
const MOST_LEVELS = 200;

interface CachedDocument {
  document: DocumentNode;
  /** Neither a stream nor an answer in parts. */
  isPlain: boolean;
  errors?: never;
}

export interface Validation {
  document: DocumentNode;
  operationName?: string | null | undefined;
  variables: Readonly<Record<string, unknown>> | null | undefined;
  viewer: Viewer | null;
  /** Whether an anonymous viewer is shown the schema where it is hidden from others. */
  readsSchema: boolean;
}

/** What stands between a text and the engine, on every way in. */
export interface DocumentValidator {
  /**
   * The document of a text, valid; or the errors. Apollo Server does the same for HTTP, under the same limit of tokens. Throws a Problem when
   * it is too large, or a subscription with conditions at its root, before it is validated.
   */
  read: (source: string) => { document: DocumentNode; errors?: never } | { document?: never; errors: readonly GraphQLError[] };
  /** The same of what is answered without Apollo Server: in one piece, and over HTTP. Undefined for all else, and for what is not valid. */
  readPlain: (source: string) => DocumentNode | undefined;
  /** Throws the Problems of a text that `read` throws. What is no GraphQL is left to others. */
  measure: (source: string) => void;
  /** The operation that is meant. Throws a Problem when it may not run. */
  validate: (validation: Validation) => OperationDefinitionNode;
  /** The header `Cache-Control` of its answer. */
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
  const cache = new LRUCache<string, CachedDocument>({ max: KEPT_DOCUMENTS });
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

  /** What would keep validation busy, and what it throws at. */
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
      if (isDeeperThan(MOST_LEVELS, variables)) throw new Problem('BAD_USER_INPUT', `Variables may be nested ${MOST_LEVELS} levels deep.`);
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

function parsed(source: string, { tokens }: Limits): DocumentNode | undefined {
  try {
    return parse(source, { maxTokens: tokens });
  } catch {
    return undefined;
  }
}

/** Without recursion: what it refuses is what others, who recurse, could not hold. */
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
