import {
  execute,
  Kind,
  type DocumentNode,
  type ExecutionResult,
  type FragmentDefinitionNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { Data } from './run.ts';

type Fragments = ReadonlyMap<string, FragmentDefinitionNode>;

/** What answers `__schema` and `__type` of an operation, which no subgraph is asked for; undefined when it selects neither. */
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
  let answer: Data | undefined;
  return () => (answer ??= run({}));
}

function introspecting({ selections }: SelectionSetNode, fragments: Fragments): SelectionSetNode | undefined {
  const kept = selections.flatMap((node): SelectionNode[] => {
    if (node.kind === Kind.FIELD) return node.name.value === '__schema' || node.name.value === '__type' ? [node] : [];
    const set = node.kind === Kind.INLINE_FRAGMENT ? node.selectionSet : fragments.get(node.name.value)?.selectionSet;
    const selectionSet = set && introspecting(set, fragments);
    return selectionSet ? [{ kind: Kind.INLINE_FRAGMENT, directives: node.directives ?? [], selectionSet }] : [];
  });
  return kept.length > 0 ? { kind: Kind.SELECTION_SET, selections: kept } : undefined;
}
