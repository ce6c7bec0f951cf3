import { buildSubgraphSchema } from '@apollo/subgraph';
import {
  getNamedType,
  isAbstractType,
  isEnumType,
  isListType,
  isNonNullType,
  isObjectType,
  parse,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLSchema,
} from 'graphql';
import { Problem } from '#shared/base/errors.ts';
import { plainSubgraph, type PlainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { Samples } from './inputs.ts';

/** An object follows from its seed: every path to it finds the same. */
interface Thing {
  __typename: string;
  seed: string;
}

const ENTITIES_PER_TYPE = 4;
const ROOTS = ['Query', 'Mutation', 'Subscription'];
const EVENTS = 3;

/** A subgraph with generated responses for any SDL, always the same: values, nulls, invalid nulls, Problems and bugs. */
export function mockSubgraph(name: string, typeDefs: string, samples: Samples): PlainSubgraph {
  const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs) }]);
  const objects = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !type.name.startsWith('_'));
  const resolvers = Object.fromEntries(objects.map((type) => [type.name, resolversOf(type as GraphQLObjectType, schema, samples)]));
  return plainSubgraph({ name, typeDefs, resolvers });
}

/** The id of an object holds its seed, so that a reference finds it again. */
const idOf = (typename: string, number: number): string => `${typename}-${number}`;

function resolversOf(type: GraphQLObjectType, schema: GraphQLSchema, samples: Samples) {
  const value = createValues(schema, samples);
  const fields = Object.values(type.getFields()).filter((field) => !field.name.startsWith('_'));
  const resolve = (field: GraphQLField<unknown, unknown>) => (parent: Partial<Thing> | undefined, given: object) =>
    value(field.type, `${parent?.seed ?? ''}.${type.name}.${field.name}${JSON.stringify(given)}`, field.name, parent);
  if (type.name === 'Subscription') return Object.fromEntries(fields.map((field) => [field.name, streamOf(field, resolve(field))]));
  const plain = Object.fromEntries(fields.map((field) => [field.name, resolve(field)]));
  if (ROOTS.includes(type.name)) return plain;
  const reference = ({ id }: { id: string }) => (hash(id) % 11 === 0 ? null : { __typename: type.name, seed: id, id });
  return isEntity(type) ? { ...plain, __resolveReference: reference } : plain;
}

const isEntity = ({ astNode, extensionASTNodes }: GraphQLObjectType): boolean =>
  [astNode, ...extensionASTNodes].some((node) => node?.directives?.some(({ name }) => name.value === 'key'));

function streamOf(field: GraphQLField<unknown, unknown>, resolve: (parent: Partial<Thing>, given: object) => unknown) {
  return {
    async *subscribe(_root: unknown, given: object) {
      for (let event = 0; event < EVENTS; event += 1) yield resolve({ seed: `event ${event}` }, given);
    },
    resolve: (event: unknown) => event,
  };
}

function createValues(schema: GraphQLSchema, samples: Samples) {
  return function value(type: GraphQLOutputType, seed: string, field: string, parent?: Partial<Thing> & { id?: string }): unknown {
    const number = hash(seed);
    if (field === 'id' && parent?.id !== undefined) return parent.id;
    if (number % 43 === 0) throw new Problem('FORBIDDEN', 'You may not do this.');
    if (number % 61 === 0) throw new Error('a bug of the subgraph');
    if (isNonNullType(type)) return number % 47 === 0 ? null : value(type.ofType, `${seed}!`, field);
    if (number % 8 === 0) return null;
    if (isListType(type)) return Array.from({ length: number % 4 }, (_, index) => value(type.ofType, `${seed}[${index}]`, field));
    const named = getNamedType(type);
    if (isEnumType(named)) return named.getValues()[number % named.getValues().length]?.value;
    if (isObjectType(named)) return thing(named, number, seed);
    if (isAbstractType(named)) {
      const possible = schema.getPossibleTypes(named);
      return thing(possible[number % possible.length] as GraphQLObjectType, number, seed);
    }
    return scalar(named.name, number, samples);
  };
}

function thing(type: GraphQLObjectType, number: number, seed: string): Thing & { id?: string } {
  if (!isEntity(type)) return { __typename: type.name, seed };
  const id = idOf(type.name, number % ENTITIES_PER_TYPE);
  return { __typename: type.name, seed: id, id };
}

function scalar(name: string, number: number, samples: Samples): unknown {
  if (name === 'Int') return number % 100;
  if (name === 'Float') return (number % 100) / 4;
  if (name === 'Boolean') return number % 2 === 0;
  const drawn = samples[name] ?? [`text ${number % 5}`];
  return drawn[number % drawn.length];
}

/** FNV-1a. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) state = Math.imul(state ^ text.charCodeAt(index), 0x01000193) >>> 0;
  return state >>> 3;
}
