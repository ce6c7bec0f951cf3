import { getNamedType, isLeafType, isListType, isNonNullType, type GraphQLField, type GraphQLNamedType } from 'graphql';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';

/** Entries of a list of which nothing is said. */
const DEFAULT_LIST_SIZE = 10;

/** What one field costs, by the directives of the cost specification. */
export interface FieldCost {
  /** Of one value: an object 1, a scalar or enum nothing, unless `@cost` says otherwise. */
  weight: number;
  isList: boolean;
  assumedSize: number;
  /** Arguments that say how many entries there will be at most. */
  slicingArguments: readonly string[];
  /** Fields of what it gives that are as long as it says itself; none when it is the list. */
  sizedFields: ReadonlySet<string>;
  /** Of an argument, when it is given. */
  argumentWeight: (argument: string) => number;
}

interface ListSize {
  assumedSize?: number;
  slicingArguments?: string[];
  sizedFields?: string[];
}

/** What the fields of a supergraph cost: `@cost` and `@listSize` of its fields and types. */
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
