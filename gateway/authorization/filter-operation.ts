import {
  getNamedType,
  getOperationAST,
  isNonNullType,
  Kind,
  print,
  visit,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLNamedType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode,
} from 'graphql';
import { fieldOf, fragmentsOf, keyOf } from '../graphql/ast.ts';
import { createNullPlaces, isEmpty, type NullPlaces } from './null-filtered.ts';

/** One filtered place of an operation, by its response keys. */
export interface FilteredField {
  path: readonly string[];
  /** Directives above the place. It counts only while none of them excludes it. */
  directives: readonly DirectiveNode[];
}

/** An operation without its forbidden fields, and the places that are null in its response. */
export interface FilteredOperation {
  document: DocumentNode;
  source: string;
  filteredFields: readonly FilteredField[];
  nullPlaces: NullPlaces;
}

export type IsForbidden = (coordinate: string) => boolean;

interface FilterOptions {
  schema: GraphQLSchema;
  document: DocumentNode;
  operationName: string | undefined;
  isForbidden: IsForbidden;
}

/**
 * Replaces forbidden fields by an aliased `__typename`, which costs no subgraph anything. So no selection becomes empty, and the response
 * shows which objects miss a field.
 */
export function filterOperation({ schema, document, operationName, isForbidden }: FilterOptions): FilteredOperation {
  const operation = getOperationAST(document, operationName) as OperationDefinitionNode;
  const fragments = fragmentsOf(document);
  const mark = marker(document);
  const marks = new Map<FieldNode, string>();
  const filteredFields: FilteredField[] = [];
  const nullPlaces = createNullPlaces();

  const walk = (set: SelectionSetNode, parent: GraphQLNamedType, at: NullPlaces, way: FilteredField): void => {
    for (const selection of set.selections) {
      const directives = selection.directives?.length ? [...way.directives, ...selection.directives] : way.directives;
      if (selection.kind !== Kind.FIELD) {
        const part = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value)! : selection;
        const type = part.typeCondition ? schema.getType(part.typeCondition.name.value)! : parent;
        walk(part.selectionSet, type, at, { path: way.path, directives });
        continue;
      }
      const field = fieldOf(parent, selection);
      if (!field) continue;
      const key = keyOf(selection);
      const place = { path: [...way.path, key], directives };
      if (isForbidden(`${parent.name}.${field.name}`)) {
        if (!marks.has(selection)) marks.set(selection, `${mark}${marks.size}`);
        at.filtered.set(marks.get(selection)!, { key, isNonNull: isNonNullType(field.type) });
        filteredFields.push(place);
      } else if (selection.selectionSet) {
        const child = at.below.get(key) ?? { type: field.type, nullPlaces: createNullPlaces() };
        walk(selection.selectionSet, getNamedType(field.type), child.nullPlaces, place);
        if (!isEmpty(child.nullPlaces)) at.below.set(key, child);
      }
    }
  };
  walk(operation.selectionSet, schema.getRootType(operation.operation)!, nullPlaces, { path: [], directives: [] });

  const marked = replaceMarked(document, marks);
  const left = onlyUsed(getOperationAST(marked, operationName) as OperationDefinitionNode, fragmentsOf(marked));
  return { document: left, source: print(left), filteredFields, nullPlaces };
}

/** A key prefix that the operation does not use itself. */
function marker(document: DocumentNode): string {
  const used = new Set<string>();
  visit(document, { Field: (node) => void used.add(keyOf(node)) });
  let prefix = 'cut_';
  while ([...used].some((key) => key.startsWith(prefix))) prefix = `_${prefix}`;
  return prefix;
}

const LEAVES_OUT = new Set(['skip', 'include']);

function replaceMarked(document: DocumentNode, marks: ReadonlyMap<FieldNode, string>): DocumentNode {
  return visit(document, {
    Field: {
      enter(node): FieldNode | undefined {
        const mark = marks.get(node);
        if (mark === undefined) return undefined;
        return {
          kind: Kind.FIELD,
          alias: { kind: Kind.NAME, value: mark },
          name: { kind: Kind.NAME, value: '__typename' },
          directives: (node.directives ?? []).filter(({ name }) => LEAVES_OUT.has(name.value)),
        };
      },
    },
  });
}

/** The operation with the fragments and variables that it still uses. */
function onlyUsed(operation: OperationDefinitionNode, fragments: ReadonlyMap<string, FragmentDefinitionNode>): DocumentNode {
  const variables = new Set<string>();
  const used = new Map<string, FragmentDefinitionNode>();
  const collect = (node: OperationDefinitionNode | FragmentDefinitionNode): void => {
    visit(node, {
      VariableDefinition: () => false,
      Variable: ({ name }) => void variables.add(name.value),
      FragmentSpread({ name }) {
        if (used.has(name.value)) return;
        const fragment = fragments.get(name.value)!;
        used.set(name.value, fragment);
        collect(fragment);
      },
    });
  };
  collect(operation);
  const variableDefinitions = operation.variableDefinitions?.filter(({ variable }) => variables.has(variable.name.value)) ?? [];
  return { kind: Kind.DOCUMENT, definitions: [{ ...operation, variableDefinitions }, ...used.values()] };
}
