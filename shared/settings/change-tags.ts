import { GLOBAL, scopeOf } from './definitions.ts';

/** The cache tag of everything: each change of a value, a rule or a definition carries it. */
export const ALL_SETTINGS = 'Settings';

/** The cache tag of the values of one scope. The global ones come with the rules of all flags, so they depend on everything. */
export const scopeTag = (scope: string): string => (scope === GLOBAL ? ALL_SETTINGS : scopeOf(ALL_SETTINGS, scope));

/** The cache tags of a change in one scope, for the events of the subgraph that stores the values. */
export const settingsTags = (scope: string): string[] => [...new Set([ALL_SETTINGS, scopeTag(scope)])];

/** The Redis channel that announces changes. Its messages say nothing: whoever hears one looks at the version. */
export const settingsChannel = (prefix: string): string => `${prefix}:settings-changed`;
