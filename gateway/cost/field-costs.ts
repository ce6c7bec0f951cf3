import { getNamedType, isLeafType, isListType, isNonNullType, type GraphQLField, type GraphQLNamedType } from 'graphql';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';

/** List length when the schema says nothing. */
const DEFAULT_LIST_SIZE = 10;

/** The cost of one field by the directives of the cost specification. */
export interface FieldCost {
  /** Per value: an object 1, a scalar or enum 0, unless `@cost` says otherwise. */
  weight: number;
  isList: boolean;
  assumedSize: number;
  /** Arguments that limit the number of entries. */
  slicingArguments: readonly string[];
  /** Fields of the result that have the size of this list; empty when the field is the list itself. */
  sizedFields: ReadonlySet<string>;
  /** Weight of an argument that is given. */
  argumentWeight: (argument: string) => number;
}

interface ListSize {
  assumedSize?: number;
  slicingArguments?: string[];
  sizedFields?: string[];
}

/** Reads `@cost` and `@listSize` of the supergraph's fields and types. */
export function readFieldCosts(
  appliedDirectives: AppliedDirectives,
): (parent: GraphQLNamedType, field: GraphQLField<unknown, unknown>) => FieldCost {
  const weightAt = (coordinate: string): number | undefined => {
    const weight = appliedDirectives.of('cost', coordinate)[0]?.['weight'];
    return weight === undefined ? undefined : Number(weight);
  };
  return (parent, { name, type }) => {
    const coordinate = `${parent.name}.${name}`;
    const named = getNamedType(type);
    const listSize: ListSize = appliedDirectives.of('listSize', coordinate)[0] ?? {};
    return {
      weight: weightAt(coordinate) ?? weightAt(named.name) ?? (isLeafType(named) ? 0 : 1),
      isList: isListType(isNonNullType(type) ? type.ofType : type),
      assumedSize: listSize.assumedSize ?? DEFAULT_LIST_SIZE,
      slicingArguments: listSize.slicingArguments ?? [],
      sizedFields: new Set(listSize.sizedFields),
      argumentWeight: (argument) => weightAt(`${coordinate}(${argument}:)`) ?? 0,
    };
  };
}
