import type { z } from 'zod';
import { Problem, type InputPath } from '#shared/base/errors.ts';
import { sentenceOf, validationMessage } from '#shared/base/validation-messages.ts';
import type { Product } from '../model.ts';
import type { Facts } from './facts.ts';

export const ERROR_POLICIES = ['REJECT_ALL', 'REJECT_FAILED_ROWS', 'IGNORE_FAILED'] as const;
export type ErrorPolicy = (typeof ERROR_POLICIES)[number];

/** Lists of an entry out of which a wrong member may be left. */
const LENIENT_LISTS = new Set(['variants', 'attributes', 'categoryIds', 'tags', 'metadata', 'privateMetadata']);

export interface ParsedRow<T> {
  /** Undefined when the entry cannot be read at all. */
  row: T | undefined;
  problems: Problem[];
  /** The place in the input for a place in the row: members that were left out moved the others. */
  place: (path: InputPath) => InputPath;
}

/** Reads one entry. With `lenient`, members of lists that are wrong are left out and noted, instead of spoiling the whole. */
export function parseRow<S extends z.ZodType>(
  schema: S,
  given: unknown,
  { path, lenient }: { path: InputPath; lenient: boolean },
): ParsedRow<z.output<S>> {
  const parsed = schema.safeParse(given, { error: validationMessage });
  const noted = (error: z.ZodError): Problem[] =>
    error.issues.map(
      (issue) => new Problem(issueCode(issue), sentenceOf(issue.message), { path: [...path, ...(issue.path as InputPath)] }),
    );
  const straight = (inner: InputPath): InputPath => inner;
  if (parsed.success) return { row: parsed.data, problems: [], place: straight };
  const problems = noted(parsed.error);
  const wrong = parsed.error.issues.map((issue) => issue.path);
  const isMember = (at: PropertyKey[]): boolean => LENIENT_LISTS.has(String(at[0])) && typeof at[1] === 'number';
  if (!lenient || !wrong.every(isMember)) return { row: undefined, problems, place: straight };
  const kept = new Map<string, number[]>();
  const rest = { ...(given as Record<string, unknown>) };
  for (const name of new Set(wrong.map((at) => String(at[0])))) {
    const members = rest[name] as unknown[];
    const right = members
      .keys()
      .filter((index) => !wrong.some((at) => at[0] === name && at[1] === index))
      .toArray();
    kept.set(name, right);
    rest[name] = right.map((index) => members[index]);
  }
  const again = schema.safeParse(rest, { error: validationMessage });
  if (!again.success) return { row: undefined, problems: [...problems, ...noted(again.error)], place: straight };
  return { row: again.data, problems, place: (inner) => replacedIndex(inner, path.length, kept) };
}

const issueCode = (issue: z.core.$ZodIssue): string =>
  issue.code === 'custom' && typeof issue.params?.['code'] === 'string' ? issue.params['code'] : 'INVALID';

function replacedIndex(path: InputPath, depth: number, kept: ReadonlyMap<string, number[]>): InputPath {
  const right = kept.get(String(path[depth]));
  const index = path[depth + 1];
  return right && typeof index === 'number' ? path.toSpliced(depth + 1, 1, right[index] ?? index) : path;
}

/** An entry that is not taken gives back the slug and the SKUs it had taken. */
export function release(
  facts: Facts,
  { _id, variants }: Pick<Product, '_id' | 'variants'>,
  known?: Pick<Product, 'slug' | 'variants'>,
): void {
  const holders = new Set([_id, ...variants.map((variant) => variant._id)]);
  for (const taken of [facts.slugs, facts.skus]) for (const [name, holder] of taken) if (holders.has(holder)) taken.delete(name);
  if (!known) return;
  facts.slugs.set(known.slug, _id);
  for (const variant of known.variants) facts.skus.set(variant.sku, variant._id);
}
