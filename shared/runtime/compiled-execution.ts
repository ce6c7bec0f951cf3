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

type Result = ExecutionResult | Promise<ExecutionResult>;

/** Runs of a document before it is compiled, which takes as long as some thirty small runs. */
const INTERPRETED_RUNS = 20;

interface ExecutionEntry {
  runs: number;
  /** `undefined` before compilation, `null` when the compiler refuses the document. */
  compiled: CompiledQuery | null | undefined;
}

/** Runs a valid document. The same text must come as the same object. */
export type Execution = (args: Omit<ExecutionArgs, 'schema'>) => Result;

/**
 * Interprets a document with graphql-js, and compiles a frequent one with graphql-jit, which returns the same results. A request that the
 * compiled program refuses before it runs is interpreted again, so that messages are worded alike.
 */
export function createCompiledExecution(schema: GraphQLSchema, interpretedRuns: number = INTERPRETED_RUNS): Execution {
  const entries = new WeakMap<DocumentNode, Map<string, ExecutionEntry>>();

  return (args) => {
    const entry = entryOf(entries, args);
    entry.runs += 1;
    if (entry.compiled === undefined && entry.runs > interpretedRuns) entry.compiled = compile(schema, args);
    if (!entry.compiled) return execute({ schema, ...args }) as Result;
    const result = entry.compiled.query(args.rootValue, args.contextValue, args.variableValues ?? {}) as Result;
    const interpret = (): Result => execute({ schema, ...args }) as Result;
    return result instanceof Promise ? result.then((settled) => unlessRefused(settled, interpret)) : unlessRefused(result, interpret);
  };
}

function unlessRefused({ data, errors }: ExecutionResult, interpret: () => Result): Result {
  if (data === undefined) return interpret();
  return errors ? { errors: errors.map(asGraphQLError), data } : { data };
}

/** The compiler's errors are not instances of the graphql-js class. */
const asGraphQLError = ({ message, path, originalError, extensions }: GraphQLError): GraphQLError =>
  new GraphQLError(message, { path, originalError, extensions });

function entryOf(
  entries: WeakMap<DocumentNode, Map<string, ExecutionEntry>>,
  { document, operationName }: Pick<ExecutionArgs, 'document' | 'operationName'>,
): ExecutionEntry {
  let operations = entries.get(document);
  if (!operations) entries.set(document, (operations = new Map()));
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

/** An input type that may contain itself, such as a filter with AND and OR: the compiler would not terminate. */
function isRecursive(schema: GraphQLSchema, node: TypeNode): boolean {
  const holds = (type: GraphQLInputType, within: readonly GraphQLInputObjectType[]): boolean => {
    const named = getNamedType(type);
    if (!isInputObjectType(named)) return false;
    return within.includes(named) || Object.values(named.getFields()).some((field) => holds(field.type, [...within, named]));
  };
  return holds(typeFromAST(schema, node as NamedTypeNode) as unknown as GraphQLInputType, []);
}
