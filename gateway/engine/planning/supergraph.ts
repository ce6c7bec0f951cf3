import { buildASTSchema, Kind, parse, type ConstDirectiveNode, type DocumentNode, type GraphQLSchema, type NameNode } from 'graphql';
import { argumentsOf, type Arguments } from '../../graphql/applied-directives.ts';
import type { EngineOptions } from '../types.ts';
import type { Kit } from '../run.ts';

export interface LoadedSupergraph {
  /** The API schema. */
  schema: GraphQLSchema;
  isOfType: Kit['isOfType'];
  /** The subgraph that resolves `Type.field`; undefined when several do. */
  ownerOf: (coordinate: string) => string | undefined;
}

/** The same as plain data, so that another thread can read it. */
export interface Reading {
  /** SDL of the API schema. */
  apiSdl: string;
  /** For each type, the abstract types of its objects. */
  conditions: Record<string, string[]>;
  /** By coordinate. */
  owners: Record<string, string>;
}

/** Reads what running plans needs from a supergraph that a planner has checked. */
export function readSupergraph(supergraphSdl: string, apiSdl: string): Reading {
  const supergraph = parse(supergraphSdl, { noLocation: true });
  return { apiSdl, conditions: conditionsOf(supergraph), owners: ownersOf(supergraph, graphsOf(supergraph)) };
}

export function loadSupergraph({ apiSdl, conditions, owners }: Reading, scalars: EngineOptions['scalars']): LoadedSupergraph {
  const isAlso = new Map(Object.entries(conditions).map(([typename, names]) => [typename, new Set(names)]));
  return {
    schema: checkScalars(buildASTSchema(parse(apiSdl, { noLocation: true }), { assumeValid: true }), scalars),
    isOfType: (typename, condition) => typename === condition || (isAlso.get(typename)?.has(condition) ?? false),
    ownerOf: (coordinate) => owners[coordinate],
  };
}

/** Checks literals and variables of custom scalars in the gateway, as the subgraphs do. */
export function checkScalars(schema: GraphQLSchema, scalars: EngineOptions['scalars'] = {}): GraphQLSchema {
  for (const scalar of Object.values(scalars)) {
    const type = schema.getType(scalar.name);
    if (type) Object.assign(type, { parseValue: scalar.parseValue, parseLiteral: scalar.parseLiteral });
  }
  return schema;
}

interface Subgraph {
  name: string;
  /** As composed; may be empty. */
  url: string;
}

/** The subgraphs of a composed supergraph. Throws when the SDL is no supergraph. */
export function readSubgraphs(supergraphSdl: string): Subgraph[] {
  const graphs = graphsOf(parse(supergraphSdl, { noLocation: true }));
  if (graphs.size === 0) throw new Error('it names no subgraphs');
  return [...graphs.values()];
}

/** The subgraphs by their names in the supergraph's directives. */
function graphsOf({ definitions }: DocumentNode): Map<string, Subgraph> {
  const graphs = definitions.find((each) => each.kind === Kind.ENUM_TYPE_DEFINITION && each.name.value === 'join__Graph');
  const values = (graphs?.kind === Kind.ENUM_TYPE_DEFINITION && graphs.values) || [];
  return new Map(values.map((value) => [value.name.value, applied(value, 'join__graph')[0] as unknown as Subgraph] as const));
}

function conditionsOf({ definitions }: DocumentNode): Reading['conditions'] {
  const conditions: Reading['conditions'] = {};
  const add = (typename: string, { value }: NameNode): void => void (conditions[typename] ??= []).push(value);
  for (const each of definitions) {
    if ('interfaces' in each) for (const { name } of each.interfaces ?? []) add(each.name.value, name);
    if (each.kind === Kind.UNION_TYPE_DEFINITION) for (const { name } of each.types ?? []) add(name.value, each.name);
  }
  return conditions;
}

function ownersOf({ definitions }: DocumentNode, graphs: ReadonlyMap<string, Subgraph>): Reading['owners'] {
  const owners: Reading['owners'] = {};
  for (const type of definitions) {
    if (type.kind !== Kind.OBJECT_TYPE_DEFINITION && type.kind !== Kind.INTERFACE_TYPE_DEFINITION) continue;
    const everywhere = applied(type, 'join__type').map(({ graph }) => graph);
    for (const field of type.fields ?? []) {
      const joins = applied(field, 'join__field').filter(({ graph }) => graph !== undefined);
      const owning = new Set(joins.length > 0 ? joins.filter(({ external }) => external !== true).map(({ graph }) => graph) : everywhere);
      const [graph, ...others] = owning;
      const owner = others.length === 0 ? graphs.get(String(graph)) : undefined;
      if (owner) owners[`${type.name.value}.${field.name.value}`] = owner.name;
    }
  }
  return owners;
}

const applied = ({ directives = [] }: { readonly directives?: readonly ConstDirectiveNode[] }, name: string): Arguments[] =>
  directives.filter((each) => each.name.value === name).map(argumentsOf);
