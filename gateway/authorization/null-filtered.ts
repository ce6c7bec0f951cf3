import { isListType, isNonNullType, type GraphQLOutputType } from 'graphql';

/** Where in an answer something was cut out of the operation: the objects that are on the way, each with what is missing in it. */
export interface Gap {
  /** By the key in the answer. */
  readonly below: Map<string, { type: GraphQLOutputType; gap: Gap }>;
  /** By the key of the `__typename` that was asked for instead. */
  readonly cut: Map<string, { key: string; isNonNull: boolean }>;
}

export const createGap = (): Gap => ({ below: new Map(), cut: new Map() });

export const isGapless = ({ below, cut }: Gap): boolean => below.size === 0 && cut.size === 0;

type Data = Record<string, unknown>;

/** The data of the whole operation: what was cut is null, and takes along what may not be null, as the specification says of any refusal. */
export function fillGaps(data: Data, { below, cut }: Gap): Data | null {
  const filled: [string, unknown][] = [];
  for (const [key, value] of Object.entries(data)) {
    const missing = cut.get(key);
    if (missing) {
      // On another way in, through a fragment of another type, it may have been open.
      if (Object.hasOwn(data, missing.key)) continue;
      if (missing.isNonNull) return null;
      filled.push([missing.key, null]);
      continue;
    }
    const child = below.get(key);
    const whole = child ? fillValue(value, child.type, child.gap) : value;
    if (whole === null && child && isNonNullType(child.type)) return null;
    filled.push([key, whole]);
  }
  return Object.fromEntries(filled);
}

function fillValue(value: unknown, type: GraphQLOutputType, gap: Gap): unknown {
  if (value === null || value === undefined) return null;
  if (isNonNullType(type)) return fillValue(value, type.ofType, gap);
  if (!isListType(type)) return fillGaps(value as Data, gap);
  const { ofType } = type;
  const items = (value as unknown[]).map((item) => fillValue(item, ofType, gap));
  return isNonNullType(ofType) && items.includes(null) ? null : items;
}
