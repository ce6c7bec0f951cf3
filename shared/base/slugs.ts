import { textKey } from './text.ts';

interface SlugOptions {
  /** Stands in when no letter of the name can be part of an address. */
  spare: string;
  /** Default 100, which is the most that `slug()` of `input.ts` accepts. */
  max?: number;
}

/** A name as part of an address, without accents: `Café Zoë & Sons` becomes `cafe-zoe-sons`. */
export function slugOf(name: string, { spare, max = 100 }: SlugOptions): string {
  const slug = textKey(name)
    .replaceAll(/['’]/g, '')
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replace(/^-/, '')
    .slice(0, max)
    .replace(/-$/, '');
  return slug || spare;
}

const MAX_NUMBER = 50;

interface SlugsOptions extends SlugOptions {
  /** Of the thing that is named: with it the last candidate is one that nothing else can have. */
  id?: string | undefined;
}

/** What may become the slug of a thing with this name, the best first: the name, the name with a number, the name with the thing's id. */
export function slugsOf(name: string, { spare, max = 100, id }: SlugsOptions): string[] {
  const withEnding = (end: string): string => `${slugOf(name, { spare, max: Math.max(max - end.length - 1, 1) })}-${end}`;
  const numbered = Array.from({ length: MAX_NUMBER - 1 }, (_, index) => withEnding(String(index + 2)));
  const own = id === undefined ? [] : [withEnding(id.toLowerCase().replaceAll(/[^a-z0-9]+/g, ''))];
  return [slugOf(name, { spare, max }), ...numbered, ...own];
}

/** The first candidate that nothing has; the last one when all are taken. */
export const firstFree = (candidates: readonly string[], isTaken: (slug: string) => boolean): string =>
  candidates.find((slug) => !isTaken(slug)) ?? candidates.at(-1)!;
