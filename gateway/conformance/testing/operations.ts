import fc, { type Arbitrary } from 'fast-check';
import {
  doTypesOverlap,
  getNamedType,
  isCompositeType,
  isObjectType,
  isRequiredArgument,
  isUnionType,
  SchemaMetaFieldDef,
  TypeMetaFieldDef,
  type GraphQLCompositeType,
  type GraphQLField,
  type GraphQLSchema,
} from 'graphql';
import { createInputs, type Input, type Samples } from './inputs.ts';
import { printOperation } from './printing.ts';

/** `@skip` or `@include` on a selection. */
export interface Condition {
  directive: 'skip' | 'include';
  input: Input;
}

export interface FieldSelection {
  kind: 'field';
  name: string;
  alias: string | null;
  /** As SDL. */
  type: string;
  arguments: [name: string, value: Input][];
  conditions: Condition[];
  selections: Selection[];
}

export interface FragmentSelection {
  kind: 'fragment';
  /** Undefined: only an inline fragment is possible. */
  on: string | null;
  named: boolean;
  conditions: Condition[];
  selections: Selection[];
}

export type Selection = FieldSelection | FragmentSelection;

/** An operation as a client sends it. */
export interface RandomOperation {
  source: string;
  variables: Record<string, unknown>;
}

/** Fields that @apollo/gateway does not know yet, or does not list. */
const NEWER = ['isOneOf', 'directives'];
const WIDTH = 3;
/** Lists of all types would make up most of a response. */
const INTROSPECTION_DEPTH = 2;
/** No names of other fields: where a plan needs such a field, @apollo/gateway returns it in place of the aliased one. */
const ALIASES = ['a', 'b', 'id', 'name'];

export interface Extent {
  samples?: Samples;
  /** Levels of fields and fragments. Default 4. */
  depth?: number;
}

/** Valid operations over any schema. They shrink to the selections and arguments that matter. */
export function operations(schema: GraphQLSchema, { samples = {}, depth = 4 }: Extent = {}): Arbitrary<RandomOperation> {
  const { selectionsOf, fieldOf } = createSelections(schema, samples);
  const [query, mutation, subscription] = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()];
  const kinds: { arbitrary: Arbitrary<RandomOperation>; weight: number }[] = [];
  if (query) {
    const introspection = fc.oneof(fieldOf(SchemaMetaFieldDef, INTROSPECTION_DEPTH), fieldOf(TypeMetaFieldDef, INTROSPECTION_DEPTH));
    const extra = fc.array(introspection, { maxLength: 1 });
    const mixed = fc.tuple(selectionsOf(query, depth), fc.oneof({ arbitrary: fc.constant([]), weight: 5 }, extra));
    kinds.push({ arbitrary: mixed.map(([own, more]) => printOperation('query', [...own, ...more])), weight: 6 });
  }
  if (mutation) kinds.push({ arbitrary: selectionsOf(mutation, depth).map((all) => printOperation('mutation', all)), weight: 3 });
  if (subscription) {
    const fields = Object.values(subscription.getFields()).map((field) => fieldOf(field, depth));
    const one = fc.oneof(...fields).map((field) => printOperation('subscription', [{ ...field, conditions: [] }]));
    kinds.push({ arbitrary: one, weight: 3 });
  }
  return fc.oneof(...kinds);
}

const condition: Arbitrary<Condition> = fc.record({
  directive: fc.constantFrom('skip', 'include'),
  input: fc.record({
    type: fc.constant('Boolean!'),
    passing: fc.constantFrom('literal', 'variable', 'default'),
    value: fc.boolean().map((value) => ({ kind: 'leaf' as const, value })),
  }),
});
const conditions = fc.oneof(
  { arbitrary: fc.constant<Condition[]>([]), weight: 8 },
  { arbitrary: fc.uniqueArray(condition, { maxLength: 2, selector: ({ directive }) => directive }), weight: 1 },
);
const alias = fc.option(fc.constantFrom(...ALIASES), { freq: 4 });
const typename = fc.record<FieldSelection>({
  kind: fc.constant('field'),
  name: fc.constant('__typename'),
  alias,
  type: fc.constant('String!'),
  arguments: fc.constant([]),
  conditions,
  selections: fc.constant([]),
});

function createSelections(schema: GraphQLSchema, samples: Samples) {
  const inputOf = createInputs(samples);
  const composites = Object.values(schema.getTypeMap()).filter((type) => isCompositeType(type) && !type.name.startsWith('__'));
  const known = new Map<string, Arbitrary<Selection[]>>();

  const selectionsOf = (type: GraphQLCompositeType, depth: number): Arbitrary<Selection[]> => {
    const memo = `${type.name} ${depth}`;
    let made = known.get(memo);
    if (!made) known.set(memo, (made = fc.array(selectionOf(type, depth), { minLength: 1, maxLength: WIDTH, size: 'max' })));
    return made;
  };

  function selectionOf(type: GraphQLCompositeType, depth: number): Arbitrary<Selection> {
    const fields = isUnionType(type) ? [] : Object.values(type.getFields()).filter(({ name }) => !NEWER.includes(name));
    const leaves = fields.filter((field) => !isCompositeType(getNamedType(field.type))).map((field) => fieldOf(field, depth));
    const choices: { arbitrary: Arbitrary<Selection>; weight: number }[] = [{ arbitrary: typename, weight: 1 }];
    if (leaves.length > 0) choices.push({ arbitrary: fc.oneof(...leaves), weight: 4 });
    if (depth === 0) return fc.oneof(...choices);
    const branches = fields.filter((field) => isCompositeType(getNamedType(field.type))).map((field) => fieldOf(field, depth));
    if (branches.length > 0) choices.push({ arbitrary: fc.oneof(...branches), weight: 5 });
    choices.push({ arbitrary: fragmentOf(type, depth), weight: isObjectType(type) ? 1 : 6 });
    return fc.oneof(...choices);
  }

  function fieldOf(field: GraphQLField<unknown, unknown>, depth: number): Arbitrary<FieldSelection> {
    const type = getNamedType(field.type);
    const given = field.args.map((argument) => {
      const value = inputOf(argument.type).map((input): [string, Input] => [argument.name, input]);
      return isRequiredArgument(argument) ? value : fc.option(value, { freq: 2 });
    });
    return fc.record<FieldSelection>({
      kind: fc.constant('field'),
      name: fc.constant(field.name),
      alias,
      type: fc.constant(String(field.type)),
      arguments: fc.tuple(...given).map((all) => all.filter((each) => each !== null)),
      conditions,
      selections: isCompositeType(type) ? selectionsOf(type, Math.max(0, depth - 1)) : fc.constant([]),
    });
  }

  function fragmentOf(type: GraphQLCompositeType, depth: number): Arbitrary<FragmentSelection> {
    const on = composites.filter(
      (other) => isCompositeType(other) && doTypesOverlap(schema, type, other) && (!isObjectType(type) || !isObjectType(other)),
    );
    const inside = [type, type, ...on].map((target, index) =>
      fc.record<FragmentSelection>({
        kind: fc.constant('fragment'),
        on: fc.constant(index === 0 ? null : target.name),
        named: fc.boolean(),
        conditions,
        selections: selectionsOf(target as GraphQLCompositeType, depth - 1),
      }),
    );
    return fc.oneof(...inside);
  }

  return { selectionsOf, fieldOf };
}
