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
import { cutOperation, type Cut, type Refusal } from './filter-operation.ts';
import { fillGaps, type Gap } from './null-filtered.ts';
import type { Requirement, Requirements } from './requirements.ts';

/** What is left of an operation that its viewer may not see in whole. */
export interface Allowed {
  /** Undefined when nothing of it may run. */
  operation: Operation | undefined;
  /** One for each place that was cut out. */
  errors: readonly GraphQLError[];
  /** The answer to the whole operation, from the answer to what is left of it. */
  complete: (result: ExecutionResult) => ExecutionResult;
  /** The same of a deferred part; its errors came with the first one. */
  completePart: (part: IncrementalPart) => IncrementalPart;
}

export interface Rights {
  /** Undefined when the viewer may see everything the operation asks for. */
  narrow: (operation: Operation) => Allowed | undefined;
  /** Whether the operation asks for anything that not everybody may see. */
  isProtected: (document: DocumentNode) => boolean;
}

interface Guarded {
  requirements: readonly Requirement[];
  /** By name of the operation and the requirements that are not met. */
  cuts: Map<string, Cut>;
}

/** Viewers differ in a few rights; more cuts of one document are somebody's play. */
const KEPT_CUTS = 64;

/** Decides before planning what a viewer may see of an operation. What it costs is found out once a document. */
export function createRights(schema: GraphQLSchema, requirements: Requirements): Rights {
  const documents = new WeakMap<DocumentNode, Guarded>();
  const errorAt = createErrors();
  const guardedOf = (document: DocumentNode): Guarded => {
    let guarded = documents.get(document);
    if (!guarded) documents.set(document, (guarded = { requirements: requirementsOf(document, schema, requirements), cuts: new Map() }));
    return guarded;
  };

  const cutFor = ({ document, operationName }: Operation, { cuts }: Guarded, unmet: ReadonlySet<Requirement>, memo: string): Cut => {
    const known = cuts.get(memo);
    if (known) return known;
    const isForbidden = (coordinate: string): boolean => requirements.get(coordinate)?.some((each) => unmet.has(each)) ?? false;
    const cut = cutOperation({ schema, document, operationName: operationName ?? undefined, isForbidden });
    if (cuts.size >= KEPT_CUTS) cuts.clear();
    cuts.set(memo, cut);
    return cut;
  };

  return {
    isProtected: (document) => guardedOf(document).requirements.length > 0,
    narrow(operation) {
      const guarded = guardedOf(operation.document);
      const { viewer } = operation.identity;
      const unmet = guarded.requirements.filter((each) => !each.isMetBy(viewer));
      if (unmet.length === 0) return undefined;
      const mask = unmet.map((each) => guarded.requirements.indexOf(each)).join();
      const cut = cutFor(operation, guarded, new Set(unmet), `${operation.operationName ?? ''} ${mask}`);
      return cut.refusals.length > 0 ? allowedOf(operation, cut, errorAt) : undefined;
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

type ErrorAt = (refusal: Refusal, viewer: Viewer | null) => GraphQLError;

function allowedOf(operation: Operation, { document, source, refusals, gap }: Cut, errorAt: ErrorAt): Allowed {
  const { operation: kind, ...definition } = getOperationAST(operation.document, operation.operationName) as OperationDefinitionNode;
  const variables = variablesOf(definition.variableDefinitions, operation.variables);
  const isAsked = (directives: readonly DirectiveNode[]): boolean => directives.every((each) => isIncluded(each, variables));
  const asked = refusals.filter(({ directives }) => isAsked(directives));
  const places = [...new Map(asked.map((refusal) => [refusal.path.join('.'), refusal])).values()];
  const errors = places.slice(0, MAX_ERRORS).map((refusal) => errorAt(refusal, operation.identity.viewer));
  // A mutation runs as it was written or not at all: half of it is nothing that anybody asked for.
  const runs = kind === 'query' || places.every(({ path }) => path.length > 1);

  return {
    operation: runs ? { ...operation, document, source } : undefined,
    errors,
    complete(result) {
      if (!result.data) return result;
      const all = [...(result.errors ?? []), ...errors];
      return { ...result, data: fillGaps(result.data, gap), ...(all.length > 0 && { errors: all }) };
    },
    completePart(part) {
      const at = part.path.reduce<Gap | undefined>((above, step) => (typeof step === 'number' ? above : above?.below.get(step)?.gap), gap);
      return at && part.data ? { ...part, data: fillGaps(part.data, at) } : part;
    },
  };
}

/** Errors are made once for each place, as their stack traces would cost more than all the rest. Who is nobody yet is told to sign in. */
function createErrors(): ErrorAt {
  const made = { signIn: new WeakMap<Refusal, GraphQLError>(), mayNot: new WeakMap<Refusal, GraphQLError>() };
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
