import { isListType, isNonNullType, type GraphQLOutputType } from 'graphql';

/** Where in an answer something was cut out of the operation: the objects that are on the way, each with what is missing in it. */
export interface NullPlaces {
  /** By the key in the answer. */
  readonly below: Map<string, { type: GraphQLOutputType; nullPlaces: NullPlaces }>;
  /** By the key of the `__typename` that was asked for instead. */
  readonly filtered: Map<string, { key: string; isNonNull: boolean }>;
}

export const createNullPlaces = (): NullPlaces => ({ below: new Map(), filtered: new Map() });

export const isEmpty = ({ below, filtered }: NullPlaces): boolean => below.size === 0 && filtered.size === 0;

type Data = Record<string, unknown>;

/** The data of the whole operation: what was cut is null, and takes along what may not be null, as the specification says of any refusal. */
export function nullFiltered(data: Data, { below, filtered }: NullPlaces): Data | null {
  const filled: [string, unknown][] = [];
  for (const [key, value] of Object.entries(data)) {
    const missing = filtered.get(key);
    if (missing) {
      // On another way in, through a fragment of another type, it may have been open.
      if (Object.hasOwn(data, missing.key)) continue;
      if (missing.isNonNull) return null;
      filled.push([missing.key, null]);
      continue;
    }
    const child = below.get(key);
    const whole = child ? nullFilteredValue(value, child.type, child.nullPlaces) : value;
    if (whole === null && child && isNonNullType(child.type)) return null;
    filled.push([key, whole]);
  }
  return Object.fromEntries(filled);
}

function nullFilteredValue(value: unknown, type: GraphQLOutputType, nullPlaces: NullPlaces): unknown {
  if (value === null || value === undefined) return null;
  if (isNonNullType(type)) return nullFilteredValue(value, type.ofType, nullPlaces);
  if (!isListType(type)) return nullFiltered(value as Data, nullPlaces);
  const { ofType } = type;
  const items = (value as unknown[]).map((item) => nullFilteredValue(item, ofType, nullPlaces));
  return isNonNullType(ofType) && items.includes(null) ? null : items;
}
