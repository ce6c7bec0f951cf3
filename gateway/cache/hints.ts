import {
  getNamedType,
  isCompositeType,
  isInterfaceType,
  Kind,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLField,
  type GraphQLNamedType,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';
import { fieldOf } from '../graphql/ast.ts';

/** `@cacheControl` at one coordinate. */
export interface Hint {
  maxAge?: number;
  scope?: string;
  inheritMaxAge?: boolean;
}

export interface Hints {
  ofType: (name: string) => Hint;
  /** The hint of a field wins over the hint of its type. Behind an interface, one private implementation makes the field private. */
  ofField: (parent: GraphQLNamedType, field: GraphQLField<unknown, unknown>) => Hint;
}

export function readHints(appliedDirectives: AppliedDirectives, schema: GraphQLSchema): Hints {
  const hintAt = (coordinate: string): Hint => appliedDirectives.of('cacheControl', coordinate)[0] ?? {};
  return {
    ofType: hintAt,
    ofField(parent, { name, type }) {
      const hint = { ...hintAt(getNamedType(type).name), ...hintAt(`${parent.name}.${name}`) };
      const behind = isInterfaceType(parent) ? schema.getPossibleTypes(parent) : [];
      return behind.some((each) => hintAt(`${each.name}.${name}`).scope === 'PRIVATE') ? { ...hint, scope: 'PRIVATE' } : hint;
    },
  };
}

/** How long a selection may be cached, and for whom. */
export interface CachePolicy {
  /** Seconds; infinite when no selected field has a max age. */
  maxAge: number;
  /** The same for every viewer: each selected coordinate is public. */
  isPublic: boolean;
}

export interface Selected {
  node: FieldNode;
  parent: GraphQLNamedType;
  field: GraphQLField<unknown, unknown>;
  hint: Hint;
}

interface Walk {
  schema: GraphQLSchema;
  hints: Hints;
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Root type. Its fields inherit nothing. */
  root?: GraphQLNamedType;
  /** Called for each selected field; without a definition for fields that clients cannot see. */
  onField?: (selected: Selected | undefined) => void;
}

/** The policy of a selection on a type. `start` is the policy of the object itself. */
export function policyOfSelection(set: SelectionSetNode, type: GraphQLNamedType, start: CachePolicy, walk: Walk): CachePolicy {
  const { schema, hints, fragments, root, onField } = walk;
  const seen = new Set<string>();
  let { maxAge, isPublic } = start;

  const walkField = (field: GraphQLField<unknown, unknown>, node: FieldNode, parent: GraphQLNamedType, isWithinPublic: boolean): void => {
    const hint = hints.ofField(parent, field);
    const fieldType = getNamedType(field.type);
    const inherits = hint.inheritMaxAge === true || (parent !== root && !isCompositeType(fieldType));
    maxAge = Math.min(maxAge, hint.maxAge ?? (inherits ? maxAge : 0));
    const isFieldPublic = hint.scope === undefined ? inherits && isWithinPublic : hint.scope === 'PUBLIC';
    isPublic &&= isFieldPublic;
    onField?.({ node, parent, field, hint });
    if (node.selectionSet) walkSet(node.selectionSet, fieldType, isFieldPublic);
  };
  const walkSet = ({ selections }: SelectionSetNode, parent: GraphQLNamedType, isWithinPublic: boolean): void => {
    for (const selection of selections) {
      if (selection.kind === Kind.FIELD) {
        const field = fieldOf(parent, selection);
        if (field) walkField(field, selection, parent, isWithinPublic);
        // How much of the schema is shown depends on the viewer.
        else if (selection.name.value !== '__typename') {
          isPublic = false;
          onField?.(undefined);
        }
        continue;
      }
      const spread = selection.kind === Kind.FRAGMENT_SPREAD ? `${selection.name.value} ${isWithinPublic}` : undefined;
      if (spread !== undefined && seen.has(spread)) continue;
      if (spread !== undefined) seen.add(spread);
      const part = selection.kind === Kind.FRAGMENT_SPREAD ? fragments.get(selection.name.value)! : selection;
      const partType = part.typeCondition ? schema.getType(part.typeCondition.name.value)! : parent;
      // The hint of one type says nothing of other types at the same place.
      walkSet(part.selectionSet, partType, isWithinPublic && partType === parent);
    }
  };
  walkSet(set, type, type !== root && start.isPublic);
  return { maxAge, isPublic };
}
