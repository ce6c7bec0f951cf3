import type { z } from 'zod';
import type { Setting } from '../settings/definitions.ts';

interface SettingOptions<K extends string> {
  /** One or two sentences for admins, with the unit. */
  description: string;
  /** Kinds of scopes whose values go before the global one, most specific first. */
  per?: K | readonly K[];
  /** True: stored and transported as ciphertext, and never shown. */
  encrypted?: boolean;
  /** Environment variable of the owner's processes that replaces the default. */
  variable?: string;
  /** The name it had before. */
  formerVariable?: string;
}

/** A setting that its group has yet to name. */
type Unnamed<T, K extends string> = Omit<Setting<T, K>, 'id' | 'owner'>;

/** The value type of a setting, its default and what is said about it. Without a default it is null until somebody sets it. */
export function setting<T, const K extends string = never>(
  schema: z.ZodType<T>,
  options: SettingOptions<K> & { default: NoInfer<T> },
): Unnamed<T, K>;
export function setting<T, const K extends string = never>(schema: z.ZodType<T>, options: SettingOptions<K>): Unnamed<T | null, K>;
export function setting<T, const K extends string = never>(
  schema: z.ZodType<T>,
  options: SettingOptions<K> & { default?: T },
): Unnamed<T | null, K> {
  const { description, per = [], encrypted = false, variable, formerVariable } = options;
  return {
    kind: 'setting',
    description,
    schema,
    default: options.default ?? null,
    per: [per].flat() as K[],
    encrypted,
    variable,
    formerVariable,
  };
}

type Named<S> = {
  readonly [key in keyof S]: S[key] extends Unnamed<infer T, infer K> ? Setting<T, K> : never;
};

/** Declares the settings of a subgraph; its manifest lists them. Their ids are `<owner>.<key>` and stay as they are for as long as values are stored. */
export function defineSettings<S extends Record<string, { kind: 'setting' }>>(owner: string, settings: S): Named<S> {
  // The constraint says no more than the kind, since types of values and scopes would be inferred from it.
  const named = Object.entries(settings as unknown as Record<string, Unnamed<unknown, string>>).map(([key, rest]) => {
    const isUsable = rest.default === null || rest.schema.safeParse(rest.default).success;
    if (!isUsable) throw new Error(`The default of the setting ${owner}.${key} does not fit its own schema`);
    return [key, { ...rest, id: `${owner}.${key}`, owner }];
  });
  return Object.fromEntries(named) as Named<S>;
}
