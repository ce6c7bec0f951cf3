import {
  getOperationAST,
  isNonNullType,
  Kind,
  parseType,
  print,
  separateOperations,
  visit,
  type ArgumentNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionNode,
  type VariableDefinitionNode,
} from 'graphql';
import type { Operation } from '../engine/types.ts';

/** Argument of a subscription field that takes the cursor. */
export const AFTER = 'after';

/** A subscription whose cursor is a variable of its own, so that it can be opened again at another position of the stream. */
export interface NormalizedSubscription {
  field: GraphQLField<unknown, unknown>;
  /** As the client wrote it, with the client's variables. */
  root: FieldNode;
  definitions: readonly VariableDefinitionNode[];
  document: DocumentNode;
  source: string;
  /** Variables of the document other than the cursor. */
  used: readonly string[];
  /** The variable for the cursor; undefined when the field cannot resume from one. */
  cursor: string | undefined;
}

/** Subscriptions that differ only in their cursor get the same source. */
export function normalizeSubscription(schema: GraphQLSchema, { document, operationName }: Operation): NormalizedSubscription {
  const operation = getOperationAST(document, operationName)!;
  const own = separateOperations(document)[operation.name?.value ?? '']!;
  const roots = rootFields(own, operation.selectionSet.selections);
  const field = schema.getSubscriptionType()!.getFields()[roots[0]!.name.value]!;
  const definitions = operation.variableDefinitions ?? [];
  const after = field.args.find(({ name, type }) => name === AFTER && !isNonNullType(type));
  const used = usedVariables(own, after ? roots : []);
  const cursor = after && freeName(used);
  const normalized = after && cursor !== undefined ? withCursor(own, { roots, after, cursor, used }) : own;
  return { field, root: roots[0]!, definitions, document: normalized, source: print(normalized), used, cursor };
}

/** The one root field of a subscription, which may be selected several times. */
function rootFields(document: DocumentNode, selections: readonly SelectionNode[]): FieldNode[] {
  return selections.flatMap((node) => {
    if (node.kind === Kind.FIELD) return [node];
    if (node.kind === Kind.INLINE_FRAGMENT) return rootFields(document, node.selectionSet.selections);
    const fragment = document.definitions.find((each) => each.kind === Kind.FRAGMENT_DEFINITION && each.name.value === node.name.value);
    return fragment && 'selectionSet' in fragment ? rootFields(document, fragment.selectionSet.selections) : [];
  });
}

const isCursor = ({ name }: ArgumentNode): boolean => name.value === AFTER;

/** Variables of the document, without those that only the cursor of these fields uses. */
function usedVariables(document: DocumentNode, roots: readonly FieldNode[]): string[] {
  const cursors = new Set(roots.flatMap((root) => root.arguments?.filter(isCursor)));
  const used = new Set<string>();
  visit(document, {
    VariableDefinition: () => false,
    Argument: (node) => (cursors.has(node) ? false : undefined),
    Variable: ({ name }) => void used.add(name.value),
  });
  return [...used].toSorted();
}

function freeName(used: readonly string[]): string {
  let name = AFTER;
  while (used.includes(name)) name = `_${name}`;
  return name;
}

interface Cursor {
  roots: readonly FieldNode[];
  after: GraphQLArgument;
  cursor: string;
  used: readonly string[];
}

function withCursor(document: DocumentNode, { roots, after, cursor, used }: Cursor): DocumentNode {
  const variable = { kind: Kind.VARIABLE, name: { kind: Kind.NAME, value: cursor } } as const;
  const argument: ArgumentNode = { kind: Kind.ARGUMENT, name: { kind: Kind.NAME, value: AFTER }, value: variable };
  const definition: VariableDefinitionNode = { kind: Kind.VARIABLE_DEFINITION, variable, type: parseType(String(after.type)) };
  return visit(document, {
    OperationDefinition(node): OperationDefinitionNode {
      const kept = (node.variableDefinitions ?? []).filter((each) => used.includes(each.variable.name.value));
      return { ...node, variableDefinitions: [...kept, definition] };
    },
    Field(node): FieldNode | undefined {
      if (!roots.includes(node)) return undefined;
      return { ...node, arguments: [...(node.arguments ?? []).filter((each) => !isCursor(each)), argument] };
    },
  });
}
