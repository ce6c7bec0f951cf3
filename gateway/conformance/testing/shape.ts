import { execute, Kind, parse, print, visit, type ExecutionResult, type FieldNode, type GraphQLSchema } from 'graphql';
import type { RandomOperation } from './operations.ts';

/** A name that no operation of ours uses. */
const TYPENAME = 'type__';
/** The operation, also asking for the type of everything, so that its answer says which fragments apply. */
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

/** The answer to `withTypes` of an operation as it would have been without. */
export const withoutTypes = ({ data, errors }: ExecutionResult): ExecutionResult => ({
  data: JSON.parse(JSON.stringify(data ?? null, (key, value: unknown) => (key === TYPENAME ? undefined : value))),
  ...(errors && { errors }),
});

/**
 * What an answer to `withTypes` of an operation holds that the operation does not allow. graphql-js is asked the same of the answer itself:
 * it must find every field, in that order, of its type, with nothing missing that may not be null.
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
  const [answer, allowed] = [JSON.stringify(data), JSON.stringify(found.data)];
  return answer === allowed ? faults : [...faults, `answered ${answer}\n where ${allowed} is allowed`];
}
