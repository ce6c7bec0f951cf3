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
