import { Kind, visit, type DirectiveNode, type DocumentNode, type FieldNode } from 'graphql';

const CONDITIONS = ['skip', 'include', 'defer'];
const TYPENAME: FieldNode = { kind: Kind.FIELD, name: { kind: Kind.NAME, value: '__typename' } };

/**
 * Removes selections whose `@skip` or `@include` is constantly false, and adds `__typename` to objects whose fields are all conditional.
 * For `{ notes @include(if: $all) { text @include(if: $texts) } }` a plan would drop the notes when only the inner condition is false, and
 * the client would get null for existing objects without fields. The same happens where every field of an object is deferred.
 */
export function foldConditions(document: DocumentNode): DocumentNode {
  const leaveOut = (node: Conditional) => (node.directives?.some(isNever) ? null : undefined);
  return visit(document, {
    Field: { leave: leaveOut },
    InlineFragment: { leave: leaveOut },
    FragmentSpread: { leave: leaveOut },
    SelectionSet: {
      leave({ selections, ...node }, _key, parent) {
        const isRoot = parent !== undefined && 'kind' in parent && parent.kind === Kind.OPERATION_DEFINITION;
        const isBare = isRoot ? selections.length === 0 : selections.every(isConditional);
        return isBare ? { ...node, selections: [...selections, TYPENAME] } : undefined;
      },
    },
  });
}

interface Conditional {
  readonly directives?: readonly DirectiveNode[];
}

const isConditional = ({ directives }: Conditional): boolean => directives?.some(({ name }) => CONDITIONS.includes(name.value)) ?? false;

function isNever({ name, arguments: given = [] }: DirectiveNode): boolean {
  const condition = given.find((each) => each.name.value === 'if')?.value;
  if (condition?.kind !== Kind.BOOLEAN) return false;
  return (name.value === 'skip' && condition.value) || (name.value === 'include' && !condition.value);
}
