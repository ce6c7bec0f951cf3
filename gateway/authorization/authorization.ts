import {
  getOperationAST,
  GraphQLError,
  TypeInfo,
  visit,
  visitWithTypeInfo,
  type DirectiveNode,
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema,
  type OperationDefinitionNode,
} from 'graphql';
import { forbidden, unauthenticated } from '#shared/base/errors.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { fieldOf, isIncluded, variablesOf } from '../graphql/ast.ts';
import type { IncrementalPart, Operation } from '../engine/types.ts';
import { filterOperation, type FilteredOperation, type FilteredField } from './filter-operation.ts';
import { nullFiltered, type NullPlaces } from './null-filtered.ts';
import type { Requirement, Requirements } from './requirements.ts';

/** The part of an operation that its viewer may see. */
export interface Allowed {
  /** Undefined when no part of it may run. */
  operation: Operation | undefined;
  /** One error per filtered place. */
  errors: readonly GraphQLError[];
  /** Turns the result of the filtered operation into the result of the whole one. */
  complete: (result: ExecutionResult) => ExecutionResult;
  /** The same for a deferred part. Its errors came with the first result. */
  completePart: (part: IncrementalPart) => IncrementalPart;
}

export interface Authorization {
  /** Returns undefined when the viewer may see all that the operation selects. */
  filter: (operation: Operation) => Allowed | undefined;
  /** True when the operation selects a field that some viewers may not see. */
  isProtected: (document: DocumentNode) => boolean;
}

interface ProtectedDocument {
  requirements: readonly Requirement[];
  /** By operation name and unmet requirements. */
  filteredOperations: Map<string, FilteredOperation>;
}

/** Viewers differ in a few rights. More combinations of one document are an attack. */
const MAX_FILTERED_OPERATIONS = 64;

/** Filters operations by viewer before they are planned. The requirements of a document are collected once. */
export function createAuthorization(schema: GraphQLSchema, requirements: Requirements): Authorization {
  const documents = new WeakMap<DocumentNode, ProtectedDocument>();
  const errorAt = createErrors();
  const protectedDocumentOf = (document: DocumentNode): ProtectedDocument => {
    let protectedDocument = documents.get(document);
    if (!protectedDocument)
      documents.set(
        document,
        (protectedDocument = { requirements: requirementsOf(document, schema, requirements), filteredOperations: new Map() }),
      );
    return protectedDocument;
  };

  const filteredFor = (
    { document, operationName }: Operation,
    { filteredOperations }: ProtectedDocument,
    unmet: ReadonlySet<Requirement>,
    memo: string,
  ): FilteredOperation => {
    const known = filteredOperations.get(memo);
    if (known) return known;
    const isForbidden = (coordinate: string): boolean => requirements.get(coordinate)?.some((each) => unmet.has(each)) ?? false;
    const filtered = filterOperation({ schema, document, operationName: operationName ?? undefined, isForbidden });
    if (filteredOperations.size >= MAX_FILTERED_OPERATIONS) filteredOperations.clear();
    filteredOperations.set(memo, filtered);
    return filtered;
  };

  return {
    isProtected: (document) => protectedDocumentOf(document).requirements.length > 0,
    filter(operation) {
      const protectedDocument = protectedDocumentOf(operation.document);
      const { viewer } = operation.identity;
      const unmet = protectedDocument.requirements.filter((each) => !each.isMetBy(viewer));
      if (unmet.length === 0) return undefined;
      const mask = unmet.map((each) => protectedDocument.requirements.indexOf(each)).join();
      const filtered = filteredFor(operation, protectedDocument, new Set(unmet), `${operation.operationName ?? ''} ${mask}`);
      return filtered.filteredFields.length > 0 ? allowedOf(operation, filtered, errorAt) : undefined;
    },
  };
}

function requirementsOf(document: DocumentNode, schema: GraphQLSchema, requirements: Requirements): readonly Requirement[] {
  if (requirements.size === 0) return [];
  const found = new Set<Requirement>();
  const types = new TypeInfo(schema);
  const collect = visitWithTypeInfo(types, {
    Field(node) {
      const parent = types.getParentType();
      const field = parent && fieldOf(parent, node);
      if (field) for (const each of requirements.get(`${parent.name}.${field.name}`) ?? []) found.add(each);
    },
  });
  visit(document, collect);
  return [...found];
}

const MAX_ERRORS = 100;

type ErrorAt = (refusal: FilteredField, viewer: Viewer | null) => GraphQLError;

function allowedOf(operation: Operation, { document, source, filteredFields, nullPlaces }: FilteredOperation, errorAt: ErrorAt): Allowed {
  const { operation: kind, ...definition } = getOperationAST(operation.document, operation.operationName) as OperationDefinitionNode;
  const variables = variablesOf(definition.variableDefinitions, operation.variables);
  const isIncludedAt = (directives: readonly DirectiveNode[]): boolean => directives.every((each) => isIncluded(each, variables));
  const included = filteredFields.filter(({ directives }) => isIncludedAt(directives));
  const places = [...new Map(included.map((refusal) => [refusal.path.join('.'), refusal])).values()];
  const errors = places.slice(0, MAX_ERRORS).map((refusal) => errorAt(refusal, operation.identity.viewer));
  // A mutation runs as written or not at all: nobody requested half of it.
  const runs = kind === 'query' || places.every(({ path }) => path.length > 1);

  return {
    operation: runs ? { ...operation, document, source } : undefined,
    errors,
    complete(result) {
      if (!result.data) return result;
      const all = [...(result.errors ?? []), ...errors];
      return { ...result, data: nullFiltered(result.data, nullPlaces), ...(all.length > 0 && { errors: all }) };
    },
    completePart(part) {
      const at = part.path.reduce<NullPlaces | undefined>(
        (above, step) => (typeof step === 'number' ? above : above?.below.get(step)?.nullPlaces),
        nullPlaces,
      );
      return at && part.data ? { ...part, data: nullFiltered(part.data, at) } : part;
    },
  };
}

/**
 * One error object per place, since stack traces would cost more than all the rest. An anonymous viewer gets UNAUTHENTICATED, others
 * FORBIDDEN.
 */
function createErrors(): ErrorAt {
  const made = { signIn: new WeakMap<FilteredField, GraphQLError>(), mayNot: new WeakMap<FilteredField, GraphQLError>() };
  const problems = { signIn: unauthenticated(), mayNot: forbidden() };
  return (refusal, viewer) => {
    const kind = viewer ? 'mayNot' : 'signIn';
    const { message, extensions } = problems[kind];
    const error =
      made[kind].get(refusal) ?? new GraphQLError(message, { path: [...refusal.path], originalError: problems[kind], extensions });
    made[kind].set(refusal, error);
    return error;
  };
}
