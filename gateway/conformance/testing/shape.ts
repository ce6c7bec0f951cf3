import { execute, Kind, parse, print, visit, type ExecutionResult, type FieldNode, type GraphQLSchema } from 'graphql';
import type { RandomOperation } from './operations.ts';

/** A name that no generated operation uses. */
const TYPENAME = 'type__';
/** The operation with the type of every object selected, so that the response shows which fragments apply. */
export function withTypes({ source, variables }: RandomOperation, name: string = TYPENAME): RandomOperation {
  const typename: FieldNode = { kind: Kind.FIELD, alias: { kind: Kind.NAME, value: name }, name: { kind: Kind.NAME, value: '__typename' } };
  const document = visit(parse(source, { noLocation: true }), {
    SelectionSet: {
      leave(node, _key, parent) {
        const isStream = parent !== undefined && 'operation' in parent && parent.operation === 'subscription';
        return isStream ? undefined : { ...node, selections: [...node.selections, typename] };
      },
    },
  });
  return { source: print(document), variables };
}

/** The response to `withTypes` as it would be without the types. */
export const withoutTypes = ({ data, errors }: ExecutionResult): ExecutionResult => ({
  data: JSON.parse(JSON.stringify(data ?? null, (key, value: unknown) => (key === TYPENAME ? undefined : value))),
  ...(errors && { errors }),
});

/**
 * Violations in the response to `withTypes`. graphql-js executes the operation on the response itself: it must find every field, in order,
 * of its type, and no missing non-null value.
 */
export function shapeFaults(schema: GraphQLSchema, { source, variables }: RandomOperation, { data }: ExecutionResult): string[] {
  if (data === null || data === undefined) return [];
  const found = execute({
    schema,
    document: parse(source),
    rootValue: data,
    variableValues: variables,
    fieldResolver: (value: Record<string, unknown>, _given, _context, { path }) => value[path.key],
    typeResolver: (value: Record<string, unknown>) => value[TYPENAME] as string,
  }) as ExecutionResult;
  const faults = (found.errors ?? []).map(({ message, path }) => `${path?.join('.')}: ${message}`);
  const [given, allowed] = [JSON.stringify(data), JSON.stringify(found.data)];
  return given === allowed ? faults : [...faults, `returned ${given}\n where ${allowed} is allowed`];
}
