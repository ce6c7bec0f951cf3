import { isListType, isNonNullType, type GraphQLOutputType } from 'graphql';

/** Filtered places of a response: the objects on the way to them, each with its missing fields. */
export interface NullPlaces {
  /** By response key. */
  readonly below: Map<string, { type: GraphQLOutputType; nullPlaces: NullPlaces }>;
  /** By the key of the `__typename` that replaced the field. */
  readonly filtered: Map<string, { key: string; isNonNull: boolean }>;
}

export const createNullPlaces = (): NullPlaces => ({ below: new Map(), filtered: new Map() });

export const isEmpty = ({ below, filtered }: NullPlaces): boolean => below.size === 0 && filtered.size === 0;

type Data = Record<string, unknown>;

/**
 * The data of the whole operation. A filtered field is null; where null is not allowed, its parent is null too, as the specification says
 * of field errors.
 */
export function nullFiltered(data: Data, { below, filtered }: NullPlaces): Data | null {
  const filled: [string, unknown][] = [];
  for (const [key, value] of Object.entries(data)) {
    const missing = filtered.get(key);
    if (missing) {
      // The same field may have been allowed through a fragment on another type.
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
