import {
  execute,
  Kind,
  visit,
  type DocumentNode,
  type ExecutionResult,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  type NameNode,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Data } from './run.ts';

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** Resolves `__schema` and `__type` of an operation in the gateway; undefined when it selects neither. */
export function compileIntrospection(
  schema: GraphQLSchema,
  operation: OperationDefinitionNode,
  fragments: Fragments,
): ((variables: Readonly<Record<string, unknown>>) => Data) | undefined {
  const selectionSet = introspecting(operation.selectionSet, fragments);
  if (!selectionSet) return undefined;
  const definitions = [{ ...operation, selectionSet }, ...fragments.values()];
  const document: DocumentNode = { kind: Kind.DOCUMENT, definitions };
  const run = (variableValues: Readonly<Record<string, unknown>>): Data =>
    (execute({ schema, document, variableValues, operationName: operation.name?.value ?? null }) as ExecutionResult).data ?? {};
  if (operation.variableDefinitions?.length) return run;
  let data: Data | undefined;
  return () => (data ??= run({}));
}

/** The document without introspection. The planner does not know all of it, for example `isOneOf`. */
export const withoutIntrospection = (document: DocumentNode): DocumentNode =>
  visit(document, {
    Field: ({ name }) => (isIntrospection(name) ? null : undefined),
    FragmentDefinition: ({ typeCondition }) => (typeCondition.name.value.startsWith('__') ? null : undefined),
  });

export const isIntrospection = ({ value }: NameNode): boolean => value === '__schema' || value === '__type';

function introspecting({ selections }: SelectionSetNode, fragments: Fragments): SelectionSetNode | undefined {
  const kept = selections.flatMap((node): SelectionNode[] => {
    if (node.kind === Kind.FIELD) return isIntrospection(node.name) ? [node] : [];
    const set = node.kind === Kind.INLINE_FRAGMENT ? node.selectionSet : fragments.get(node.name.value)?.selectionSet;
    const selectionSet = set && introspecting(set, fragments);
    return selectionSet ? [{ kind: Kind.INLINE_FRAGMENT, directives: node.directives ?? [], selectionSet }] : [];
  });
  return kept.length > 0 ? { kind: Kind.SELECTION_SET, selections: kept } : undefined;
}
