import {
  isAbstractType,
  Kind,
  type FragmentDefinitionNode,
  type GraphQLInterfaceType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
  type SelectionSetNode,
} from 'graphql';
import { isIncluded, keyOf } from '../graphql/ast.ts';
import { clientField } from './aliases.ts';
import { isDeferred } from './deferrals.ts';
import { isInherited } from './run.ts';

/** One field of a response: all selections with the same response key. */
export interface FieldPlan {
  key: string;
  /** Its key in subgraph responses. */
  source: string;
  inherited: boolean;
  name: string;
  /** Undefined for meta fields: `__typename`, `__schema` and `__type`. */
  type: GraphQLOutputType | undefined;
  sets: SelectionSetNode[];
}

/** What decides whether a selection is included. */
export interface Selected {
  fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  /** Values of the variables in `@skip`, `@include` and `@defer`. */
  conditions: Readonly<Record<string, unknown>>;
  /** Includes deferred selections. */
  inOnePiece: boolean;
}

/** CollectFields of the GraphQL specification, over selections with the names used in plans. */
export function createFields(schema: GraphQLSchema, { fragments, conditions, inOnePiece }: Selected) {
  return (type: GraphQLObjectType | GraphQLInterfaceType, sets: readonly SelectionSetNode[]): FieldPlan[] => {
    const fields = new Map<string, FieldPlan>();
    const seen = new Set<string>();
    const applies = (condition: string | undefined): boolean => {
      if (condition === undefined || condition === type.name) return true;
      const abstract = schema.getType(condition);
      return isAbstractType(abstract) && schema.isSubType(abstract, type);
    };
    const visit = ({ selections }: SelectionSetNode): void => {
      for (const node of selections) {
        if (node.directives?.some((each) => !isIncluded(each, conditions) || (!inOnePiece && isDeferred(each, conditions)))) continue;
        if (node.kind === Kind.FIELD) add(keyOf(node), node.name.value, node.selectionSet);
        else if (node.kind === Kind.INLINE_FRAGMENT) {
          if (applies(node.typeCondition?.name.value)) visit(node.selectionSet);
        } else if (!seen.has(node.name.value)) {
          seen.add(node.name.value);
          const fragment = fragments.get(node.name.value);
          if (fragment && applies(fragment.typeCondition.name.value)) visit(fragment.selectionSet);
        }
      }
    };
    const add = (inPlan: string, name: string, set: SelectionSetNode | undefined): void => {
      const { key } = clientField(inPlan);
      let field = fields.get(key);
      if (!field) {
        const known = type.getFields()[name];
        if (!known && !name.startsWith('__')) return;
        const source = known ? inPlan : key;
        const inherited = isInherited(key) || isInherited(source);
        fields.set(key, (field = { key, source, inherited, name, type: known?.type, sets: [] }));
      }
      if (set) field.sets.push(set);
    };
    sets.forEach(visit);
    return [...fields.values()];
  };
}
