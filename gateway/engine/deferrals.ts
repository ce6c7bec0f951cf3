import {
  getOperationAST,
  Kind,
  OperationTypeNode,
  visit,
  type DirectiveNode,
  type DocumentNode,
  type FragmentDefinitionNode,
  type InlineFragmentNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import { directivesIn, fragmentsOf, isIncluded, keyOf } from '../graphql/ast.ts';
import { isIntrospection } from './introspection.ts';

/** A fragment whose fields follow the first response. */
export interface Deferral {
  /** Identifies this fragment at this place. It is the label in plans. */
  id: string;
  /** The client's label. */
  label: string | undefined;
  directive: DirectiveNode;
  /** Response keys and `... on Type` from the root. Lists add no step. */
  path: readonly string[];
  /** Directives on the way that decide whether it is selected at all. */
  conditions: readonly DirectiveNode[];
  set: SelectionSetNode;
  /** Enclosing deferred fragments, the innermost first. */
  within: readonly Deferral[];
}

export interface Deferring {
  /** For plans and responses: without named fragments, and with an id as the label of each `@defer`. */
  document: DocumentNode;
  deferrals: readonly Deferral[];
}

type Variables = Readonly<Record<string, unknown>>;

const DEFER = 'defer';

/** True when the selection is deferred. A missing condition, or a missing variable, counts as true. */
export function isDeferred({ name, arguments: given = [] }: DirectiveNode, conditions: Variables): boolean {
  if (name.value !== DEFER) return false;
  const value = given.find((each) => each.name.value === 'if')?.value;
  if (value?.kind === Kind.VARIABLE) return conditions[value.name.value] !== false;
  return value?.kind !== Kind.BOOLEAN || value.value;
}

export const isActive = ({ directive, conditions }: Deferral, variables: Variables): boolean =>
  isDeferred(directive, variables) && conditions.every((each) => isIncluded(each, variables));

const deferredIn = (document: DocumentNode): DirectiveNode[] => directivesIn(document).filter(({ name }) => name.value === DEFER);

export const defers = (document: DocumentNode): boolean => deferredIn(document).length > 0;

/** Variables of the conditions of `@defer`. */
export const deferVariables = (document: DocumentNode): string[] =>
  deferredIn(document).flatMap(({ arguments: given = [] }) =>
    given.flatMap(({ name, value }) => (name.value === 'if' && value.kind === Kind.VARIABLE ? [value.name.value] : [])),
  );

export const withoutDefers = (document: DocumentNode): DocumentNode =>
  visit(document, { Directive: ({ name }) => (name.value === DEFER ? null : undefined) });

/**
 * Finds the deferred fragments of an operation and gives each an id per place: a named fragment may be spread more than once, and its label
 * does not say where. Events of a subscription come in one piece. Undefined when nothing is deferred.
 */
export function readDeferrals(document: DocumentNode, operationName: string | undefined): Deferring | undefined {
  if (!defers(document)) return undefined;
  const operation = getOperationAST(document, operationName)!;
  const deferrals: Deferral[] = [];
  const read = createReader(fragmentsOf(document), operation.operation === OperationTypeNode.SUBSCRIPTION ? undefined : deferrals);
  const selectionSet = read(operation.selectionSet, { path: [], conditions: [], within: [] });
  return { document: { kind: Kind.DOCUMENT, definitions: [{ ...operation, selectionSet }] }, deferrals };
}

type Place = Pick<Deferral, 'path' | 'conditions' | 'within'>;

function createReader(fragments: ReadonlyMap<string, FragmentDefinitionNode>, deferrals: Deferral[] | undefined) {
  const read = (set: SelectionSetNode, place: Place): SelectionSetNode => ({
    ...set,
    selections: set.selections.map((node) => readNode(node, place)),
  });

  function readNode(node: SelectionNode, { path, conditions, within }: Place): SelectionNode {
    const inside: Place = {
      path,
      conditions: [...conditions, ...(node.directives ?? []).filter(({ name }) => name.value !== DEFER)],
      within,
    };
    if (node.kind === Kind.FIELD) {
      if (!node.selectionSet || isIntrospection(node.name)) return node;
      return { ...node, selectionSet: read(node.selectionSet, { ...inside, path: [...path, keyOf(node)] }) };
    }
    const fragment = inlined(node, fragments);
    const condition = fragment.typeCondition?.name.value;
    if (condition !== undefined) inside.path = [...path, `... on ${condition}`];
    return readFragment(fragment, inside);
  }

  function readFragment({ directives = [], ...fragment }: InlineFragmentNode, place: Place): InlineFragmentNode {
    const directive = directives.find((each) => each.name.value === DEFER && isDeferred(each, {}));
    const others = directives.filter(({ name }) => name.value !== DEFER);
    if (!directive || !deferrals) return { ...fragment, directives: others, selectionSet: read(fragment.selectionSet, place) };
    const id = `_defer${deferrals.length}`;
    const deferral: Deferral = { id, label: labelOf(directive), directive, ...place, set: fragment.selectionSet };
    deferrals.push(deferral);
    deferral.set = read(fragment.selectionSet, { ...place, within: [deferral, ...place.within] });
    return { ...fragment, directives: [...others, withLabel(directive, id)], selectionSet: deferral.set };
  }

  return read;
}

function inlined(
  node: Exclude<SelectionNode, { kind: Kind.FIELD }>,
  fragments: ReadonlyMap<string, FragmentDefinitionNode>,
): InlineFragmentNode {
  if (node.kind === Kind.INLINE_FRAGMENT) return node;
  const { typeCondition, selectionSet } = fragments.get(node.name.value)!;
  return { kind: Kind.INLINE_FRAGMENT, typeCondition, selectionSet, ...(node.directives && { directives: node.directives }) };
}

function labelOf({ arguments: given = [] }: DirectiveNode): string | undefined {
  const label = given.find(({ name }) => name.value === 'label')?.value;
  if (label?.kind === Kind.VARIABLE)
    throw new Problem('GRAPHQL_VALIDATION_FAILED', 'The label of @defer must be written out, not be a variable.');
  return label?.kind === Kind.STRING ? label.value : undefined;
}

const withLabel = (directive: DirectiveNode, id: string): DirectiveNode => ({
  ...directive,
  arguments: [
    ...(directive.arguments ?? []).filter(({ name }) => name.value !== 'label'),
    { kind: Kind.ARGUMENT, name: { kind: Kind.NAME, value: 'label' }, value: { kind: Kind.STRING, value: id } },
  ],
});
