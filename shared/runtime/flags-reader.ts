import type { Viewer } from '../base/identity.ts';
import type { FlagsReader } from '../kit/context.ts';
import type { Flag, FlagAttributes } from '../settings/definitions.ts';
import type { SettingsClient } from '../settings/settings-client.ts';

/** The flags as one viewer meets them. */
export function createFlagsReader(client: SettingsClient, viewer: Viewer | null, now: () => Date): FlagsReader {
  const evaluate = (flag: Flag<any>, attributes: FlagAttributes = {}) =>
    client.evaluate(flag, { user: viewer?.id, targetingKey: viewer?.id, ...attributes }, now());
  return {
    evaluate,
    isOn: async (flag, attributes) => (await evaluate(flag, attributes)).isOn,
  };
}
