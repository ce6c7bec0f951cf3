import { trusted } from 'mongoose';
import { z } from 'zod';
import { invalid, type InputPath } from '../base/errors.ts';
import { isCurrency, MoneyInput } from '../base/money.ts';
import { keptText } from '../base/text.ts';
import { validationMessage } from '../base/validation-messages.ts';

export type FieldKind = 'enum' | 'text' | 'date' | 'int' | 'id' | 'boolean' | 'money';

/**
 * What a client may filter by: the name in the schema, the kind, and where it lies in the document when that is called otherwise. `as` spells
 * a text the way the document has it, `keptText` unless said otherwise.
 */
export type Fields = Readonly<Record<string, FieldKind | { kind: FieldKind; path: string; as?: (text: string) => string }>>;

type Filter = Record<string, unknown>;

const DEEPEST = 4;
const MAX_CONDITIONS = 50;
const MAX_VALUES = 250;

const exact = (max: number) =>
  z
    .string()
    .max(max, `must have at most ${max} characters`)
    .refine((value) => value.isWellFormed() && !value.includes('\0'), 'is not well-formed text');

const equality = <T extends z.ZodType>(value: T) => ({
  eq: value.optional(),
  ne: value.optional(),
  in: z.array(value).max(MAX_VALUES, `must have at most ${MAX_VALUES} entries`).optional(),
});

const range = <T extends z.ZodType>(value: T) => ({
  gt: value.optional(),
  gte: value.optional(),
  lt: value.optional(),
  lte: value.optional(),
});

const money = z
  .strictObject({
    currency: z.string().refine(isCurrency, 'is not a currency code that is known here'),
    eq: z.string().optional(),
    ...range(z.string()),
  })
  .transform(({ currency, ...amounts }, ctx) => {
    const parsed = Object.entries(amounts).map(([operator, amount]) => {
      const result = MoneyInput.safeParse({ amount, currency }, { error: validationMessage });
      if (!result.success) ctx.addIssue({ code: 'custom', path: [operator], message: result.error.issues[0]?.message ?? 'is no amount' });
      return [operator, result.data?.amount] as const;
    });
    return { currency, amounts: Object.fromEntries(parsed) };
  });

// Strict objects of plain values: an operator of the store, or an object where a value belongs, fits none of them.
const CONDITIONS = {
  enum: z.strictObject(equality(z.string().regex(/^\w{1,100}$/, 'is not a value of this kind'))),
  id: z.strictObject(equality(exact(200))),
  int: z.strictObject({ ...equality(z.int()), ...range(z.int()) }),
  date: z.strictObject({ ...equality(z.date()), ...range(z.date()) }),
  boolean: z.strictObject({ eq: z.boolean().optional(), ne: z.boolean().optional() }),
};

const textCondition = (as: (text: string) => string) =>
  z.strictObject({
    ...equality(exact(1_000).transform(as)),
    startsWith: exact(64)
      // A word that is finished is not the beginning of a longer one.
      .transform((value) => (/\S\s+$/.test(value) ? `${as(value)} ` : as(value)))
      .refine((value) => value !== '', 'must not be empty')
      .optional(),
  });

/**
 * A client's `where` as a filter of the store. Only declared fields and operators come through, each value checked and put behind an
 * operator of ours; `AND` and `OR` nest 4 deep, 50 conditions in all. Throws INVALID with the path.
 */
export function translateWhere(where: unknown, fields: Fields): Filter {
  const budget = { left: MAX_CONDITIONS };

  function group(value: unknown, path: InputPath, depth: number): Filter {
    if (depth > DEEPEST) throw invalid(path, `Conditions nest at most ${DEEPEST} deep.`);
    const parts = entriesOf(value, path).map(([name, condition]) => {
      const inner = [...path, name];
      if (name === 'AND' || name === 'OR') return { [name === 'AND' ? '$and' : '$or']: branches(condition, inner, depth + 1) };
      const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
      if (!field) throw invalid(inner, 'This list cannot be filtered by this field.');
      const { kind, path: place, as = keptText } = typeof field === 'string' ? { kind: field, path: name } : field;
      spend(entriesOf(condition, inner).length, inner);
      if (kind === 'money') return moneyFilter(place, condition, inner);
      return on(place, parse(kind === 'text' ? textCondition(as) : CONDITIONS[kind], condition, inner));
    });
    return parts.length === 1 ? (parts[0] as Filter) : parts.length === 0 ? {} : { $and: parts };
  }

  function branches(value: unknown, path: InputPath, depth: number): Filter[] {
    if (!Array.isArray(value) || value.length === 0) throw invalid(path, 'A list of at least one condition belongs here.');
    spend(value.length, path);
    return value.map((entry, index) => group(entry, [...path, index], depth));
  }

  function spend(conditions: number, path: InputPath): void {
    budget.left -= conditions;
    if (budget.left < 0) throw invalid(path, `A filter has at most ${MAX_CONDITIONS} conditions.`);
  }

  return where === null || where === undefined ? {} : group(where, ['where'], 1);
}

function moneyFilter(place: string, condition: unknown, path: InputPath): Filter {
  const { currency, amounts } = parse(money, condition, path);
  return { ...on(`${place}.currency`, { eq: currency }), ...on(`${place}.amount`, amounts) };
}

/** No operator, no condition: all that are given must hold. */
function on(place: string, condition: Record<string, unknown>): Filter {
  const given = Object.entries(condition).filter(([, value]) => value !== undefined);
  const own = given.map(([name, value]) => (name === 'startsWith' ? ['$regex', prefix(value as string)] : [`$${name}`, value]));
  return own.length === 0 ? {} : { [place]: trusted(openEnded(Object.fromEntries(own) as Filter)) };
}

/**
 * The same range without its bounds. Dates and amounts are whole numbers, so the neighbour of an inclusive bound is an exclusive one. The store
 * from PyPI misses rows at an inclusive bound when more fields follow in the index.
 */
function openEnded({ $gt, $gte, $lt, $lte, ...others }: Filter): Filter {
  const above = [$gt, neighbour($gte, -1)].filter((bound) => bound !== undefined);
  const below = [$lt, neighbour($lte, 1)].filter((bound) => bound !== undefined);
  const ascending = (a: unknown, b: unknown): number => Number(a) - Number(b);
  return {
    ...others,
    ...(above.length > 0 && { $gt: above.toSorted(ascending).at(-1) }),
    ...(below.length > 0 && { $lt: below.toSorted(ascending)[0] }),
  };
}

const neighbour = (bound: unknown, step: 1 | -1): unknown =>
  bound instanceof Date ? new Date(bound.getTime() + step) : typeof bound === 'number' ? bound + step : undefined;

const prefix = (text: string): string => `^${text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)}`;

function parse<T extends z.ZodType>(schema: T, condition: unknown, path: InputPath): z.output<T> {
  const result = schema.safeParse(condition, { error: validationMessage });
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const place = [...path, ...((issue?.path ?? []) as InputPath)];
  if (issue?.code === 'unrecognized_keys') throw invalid([...place, issue.keys[0] ?? ''], 'There is no such operator for this field.');
  throw invalid(place, `The value ${issue?.message ?? 'is not acceptable'}.`);
}

/** The entries that say something: a field that was left out by a variable arrives as null. */
function entriesOf(value: unknown, path: InputPath): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date)
    throw invalid(path, 'An object of conditions belongs here.');
  return Object.entries(value).filter(([, entry]) => entry !== null && entry !== undefined);
}
