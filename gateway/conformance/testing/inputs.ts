import fc, { type Arbitrary } from 'fast-check';
import {
  getNullableType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isRequiredInputField,
  type GraphQLInputType,
  type GraphQLNamedInputType,
} from 'graphql';

/** Arbitrary values of a scalar, by its name. */
export type Samples = Readonly<Record<string, readonly unknown[]>>;

/** How a value enters the operation; `default` and `missing` are variables without a value. */
export type Passing = 'literal' | 'variable' | 'default' | 'missing';

/** An input value. Lists and objects contain further ones, each passed in its own way. */
export interface Input {
  type: string;
  passing: Passing;
  value: InputValue;
}

export type InputValue =
  | { kind: 'null' }
  | { kind: 'leaf'; value: unknown }
  | { kind: 'enum'; name: string }
  | { kind: 'list'; entries: Input[] }
  | { kind: 'object'; fields: [name: string, value: Input][] };

const MAX_DEPTH = 2;
const COMMON: Samples = {
  ID: ['1', '2', 'nowhere'],
  String: ['', 'a', 'of "quotes" and \\ and é'],
  Int: [0, 1, 2, 7, -3],
  Float: [0, 1.5, -2],
  Boolean: [true, false],
};

/** Generates argument values. Recursive input types end after a few levels. */
export function createInputs(samples: Samples): (type: GraphQLInputType) => Arbitrary<Input> {
  const drawn = { ...COMMON, ...samples };
  const known = new Map<string, Arbitrary<Input>>();

  const inputOf = (type: GraphQLInputType, depth: number): Arbitrary<Input> => {
    const memo = `${String(type)} ${depth}`;
    let made = known.get(memo);
    if (!made) known.set(memo, (made = makeInput(type, depth)));
    return made;
  };

  function makeInput(type: GraphQLInputType, depth: number): Arbitrary<Input> {
    const optional = !isNonNullType(type);
    const value = valueOf(getNullableType(type), depth);
    const passing = fc.constantFrom<Passing>('literal', 'variable', 'default');
    const given = fc.record({ type: fc.constant(String(type)), passing, value });
    if (!optional) return given;
    const nothing = fc.constantFrom<Passing>('literal', 'variable', 'default', 'missing');
    const none = nothing.map((how): Input => ({ type: String(type), passing: how, value: { kind: 'null' } }));
    return fc.oneof({ arbitrary: given, weight: 5 }, { arbitrary: none, weight: 1 });
  }

  function valueOf(type: GraphQLInputType, depth: number): Arbitrary<InputValue> {
    if (isListType(type)) {
      const entries = depth > 0 ? fc.array(inputOf(type.ofType, depth - 1), { maxLength: 3 }) : fc.constant<Input[]>([]);
      return entries.map((each) => ({ kind: 'list', entries: each }));
    }
    const named = type as GraphQLNamedInputType;
    if (isEnumType(named)) return fc.constantFrom(...named.getValues()).map(({ name }) => ({ kind: 'enum', name }));
    if (isInputObjectType(named)) {
      const fields = Object.values(named.getFields()).filter((field) => depth > 0 || isRequiredInputField(field));
      const made = fields.map((field) => {
        const value = inputOf(field.type, depth - 1).map((input): [string, Input] => [field.name, input]);
        return isRequiredInputField(field) ? value : fc.option(value);
      });
      return fc.tuple(...made).map((all) => ({ kind: 'object', fields: all.filter((each) => each !== null) }));
    }
    return fc.constantFrom(...(drawn[named.name] ?? ['anything'])).map((value) => ({ kind: 'leaf', value }));
  }

  return (type) => inputOf(type, MAX_DEPTH);
}

/** The value as JSON for a variable. */
export function plainValue({ value }: Input): unknown {
  if (value.kind === 'leaf') return value.value;
  if (value.kind === 'enum') return value.name;
  if (value.kind === 'list') return value.entries.map(plainValue);
  if (value.kind === 'object') return Object.fromEntries(value.fields.map(([name, input]) => [name, plainValue(input)]));
  return null;
}
