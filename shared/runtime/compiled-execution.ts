import {
  execute,
  getNamedType,
  getOperationAST,
  GraphQLError,
  isInputObjectType,
  typeFromAST,
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  type GraphQLInputObjectType,
  type GraphQLInputType,
  type GraphQLSchema,
  type NamedTypeNode,
  type TypeNode,
} from 'graphql';
import { compileQuery, isCompiledQuery, type CompiledQuery } from 'graphql-jit';

type Answer = ExecutionResult | Promise<ExecutionResult>;

/** How often a document is interpreted before it is worth compiling, which takes as long as some thirty small runs. */
const INTERPRETED_RUNS = 20;

interface Known {
  runs: number;
  /** `undefined` until it is worth it, `null` when the compiler has no program for it. */
  compiled: CompiledQuery | null | undefined;
}

/** Runs a document that is valid, and the same object each time for the same text. */
export type Execution = (args: Omit<ExecutionArgs, 'schema'>) => Answer;

/**
 * graphql-js, and for documents that come again and again a program made of them by graphql-jit, which gives the same answers: what a
 * program refuses before it has run anything is left to graphql-js, so that refusals are worded alike.
 */
export function createExecution(schema: GraphQLSchema, interpretedRuns: number = INTERPRETED_RUNS): Execution {
  const known = new WeakMap<DocumentNode, Map<string, Known>>();

  return (args) => {
    const entry = entryOf(known, args);
    entry.runs += 1;
    if (entry.compiled === undefined && entry.runs > interpretedRuns) entry.compiled = compile(schema, args);
    if (!entry.compiled) return execute({ schema, ...args }) as Answer;
    const answer = entry.compiled.query(args.rootValue, args.contextValue, args.variableValues ?? {}) as Answer;
    const interpret = (): Answer => execute({ schema, ...args }) as Answer;
    return answer instanceof Promise ? answer.then((result) => unlessRefused(result, interpret)) : unlessRefused(answer, interpret);
  };
}

function unlessRefused({ data, errors }: ExecutionResult, interpret: () => Answer): Answer {
  if (data === undefined) return interpret();
  return errors ? { errors: errors.map(asGraphQLError), data } : { data };
}

/** The compiler's errors only look like those of graphql-js. */
const asGraphQLError = ({ message, path, originalError, extensions }: GraphQLError): GraphQLError =>
  new GraphQLError(message, { path, originalError, extensions });

function entryOf(
  known: WeakMap<DocumentNode, Map<string, Known>>,
  { document, operationName }: Pick<ExecutionArgs, 'document' | 'operationName'>,
): Known {
  let operations = known.get(document);
  if (!operations) known.set(document, (operations = new Map()));
  const name = operationName ?? '';
  let entry = operations.get(name);
  if (!entry) operations.set(name, (entry = { runs: 0, compiled: undefined }));
  return entry;
}

function compile(
  schema: GraphQLSchema,
  { document, operationName }: Pick<ExecutionArgs, 'document' | 'operationName'>,
): CompiledQuery | null {
  const operation = getOperationAST(document, operationName);
  if (operation?.variableDefinitions?.some(({ type }) => isRecursive(schema, type))) return null;
  try {
    const compiled = compileQuery(schema, document, operationName ?? undefined);
    return isCompiledQuery(compiled) ? compiled : null;
  } catch {
    return null;
  }
}

/** An input that may hold another of its own type, as a filter with AND and OR: the compiler does not come to an end with these. */
function isRecursive(schema: GraphQLSchema, node: TypeNode): boolean {
  const holds = (type: GraphQLInputType, within: readonly GraphQLInputObjectType[]): boolean => {
    const named = getNamedType(type);
    if (!isInputObjectType(named)) return false;
    return within.includes(named) || Object.values(named.getFields()).some((field) => holds(field.type, [...within, named]));
  };
  return holds(typeFromAST(schema, node as NamedTypeNode) as unknown as GraphQLInputType, []);
}
