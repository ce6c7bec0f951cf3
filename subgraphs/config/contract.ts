import { z } from 'zod';
import { defineEvent } from '#shared/kit/define-event.ts';
import { defineSettings, setting } from '#shared/kit/define-settings.ts';
import { settingsTags } from '#shared/settings/change-tags.ts';

/** Every process sends these; the kit defines them. */
export { readSettings, registerDefinitions } from '#shared/kit/settings-commands.ts';

const timestamp = z.iso.datetime();
/** Version of the value in its scope: `GLOBAL`, or a kind and an id such as `vendor:ven_1`. */
const change = { scope: z.string(), version: z.int(), timestamp };

/** Another value is in force. The value itself is not told: read it with `ctx.settings.get`. */
export const settingChanged = defineEvent('Setting.Changed', z.object({ settingId: z.string(), ...change }), {
  tags: ({ scope }) => settingsTags(scope),
  topics: () => [SETTINGS_TOPIC],
});

/** Other rules, or another decision of one scope, are in force. A change of a segment is one of each flag that uses it. */
export const flagChanged = defineEvent('Flag.Changed', z.object({ flagId: z.string(), ...change }), {
  tags: ({ scope }) => settingsTags(scope),
  topics: () => [FLAGS_TOPIC],
});

/** The newest build of a subgraph defines other settings or flags than the one before. */
export const definitionsRegistered = defineEvent('Definitions.Registered', z.object({ owner: z.string(), build: z.int(), timestamp }), {
  tags: () => settingsTags('GLOBAL'),
});

export const SETTINGS_TOPIC = 'config:settings';
export const FLAGS_TOPIC = 'config:flags';

export const settings = defineSettings('config', {
  staleFlagDays: setting(z.int().min(1).max(3_650), {
    default: 30,
    description: 'Days without a change, or without an evaluation, after which a flag counts as stale.',
  }),
});
