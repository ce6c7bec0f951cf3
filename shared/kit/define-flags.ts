import type { Flag } from '../settings/definitions.ts';

interface FlagOptions<K extends string> {
  /** What is different where it is on, for admins. */
  description: string;
  /** Where nobody has decided anything. Default false. */
  default?: boolean;
  /** Kinds of scopes whose decisions go before the rules, most specific first. */
  per?: K | readonly K[];
  /** True: clients may evaluate it. Default false. */
  public?: boolean;
}

type Unnamed<K extends string> = Omit<Flag<K>, 'id' | 'owner'>;

export function flag<const K extends string = never>(options: FlagOptions<K>): Unnamed<K> {
  const { description, default: fallback = false, per = [], public: isPublic = false } = options;
  return { kind: 'flag', description, default: fallback, per: [per].flat() as K[], public: isPublic };
}

type Named<F> = { readonly [key in keyof F]: F[key] extends Unnamed<infer K> ? Flag<K> : never };

/** Declares the flags of a subgraph; its manifest lists them. Their ids are `<owner>.<key>`. A flag whose decision is final is removed from the code. */
export function defineFlags<F extends Record<string, { kind: 'flag' }>>(owner: string, flags: F): Named<F> {
  const named = Object.entries(flags).map(([key, rest]) => [key, { ...rest, id: `${owner}.${key}`, owner }]);
  return Object.fromEntries(named) as Named<F>;
}
