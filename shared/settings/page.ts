import { z } from 'zod';
import { Conditions, FlagRules } from './flag-rules.ts';

/** All values of one scope. Those of `GLOBAL` come with the rules of all flags, since flags depend on each other. */
export const SettingsPage = z.object({
  /** By id: JSON text, or its ciphertext. */
  settings: z.record(z.string(), z.string()),
  /** Decisions of this scope about flags, by id. */
  overrides: z.record(z.string(), z.boolean()),
  /** GLOBAL only: every registered flag. */
  flags: z.record(
    z.string(),
    z.object({ default: z.boolean(), per: z.array(z.string()), public: z.boolean(), rules: FlagRules.nullable() }),
  ),
  /** GLOBAL only: the segments that rules name. */
  segments: z.record(z.string(), Conditions),
  /**
   * GLOBAL only, by the id of setting or flag: the kinds of scopes that have a value, since others need not be read. The revision grows with
   * each change in any scope.
   */
  overridden: z.record(z.string(), z.object({ kinds: z.array(z.string()), revision: z.int() })),
});

export type SettingsPage = z.infer<typeof SettingsPage>;

/** A scope without values. */
export const EMPTY_PAGE: SettingsPage = { settings: {}, overrides: {}, flags: {}, segments: {}, overridden: {} };

/** The flag and all flags that it depends on. */
export function withPrerequisites(id: string, { flags }: SettingsPage): string[] {
  const found = new Set([id]);
  for (const each of found) for (const { flag } of flags[each]?.rules?.prerequisites ?? []) found.add(flag);
  return [...found];
}

/** The ids whose global value, rules or segments are not the same in both. */
export function changedIds(before: SettingsPage, after: SettingsPage): string[] {
  const entryOf = (page: SettingsPage, id: string): string => {
    const flag = page.flags[id];
    const segments = flag?.rules?.segments.map(({ segment }) => page.segments[segment]);
    return JSON.stringify([page.settings[id], page.overridden[id], flag, segments]);
  };
  const ids = new Set([before, after].flatMap((page) => [...Object.keys(page.settings), ...Object.keys(page.flags)]));
  return [...ids].filter((id) => entryOf(before, id) !== entryOf(after, id));
}
