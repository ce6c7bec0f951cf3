import {
  FlagNotFoundError,
  OpenFeatureEventEmitter,
  ProviderEvents,
  StandardResolutionReasons,
  TargetingKeyMissingError,
  TypeMismatchError,
  type EvaluationContext,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
} from '@openfeature/server-sdk';
import type { FlagAttributes } from '../settings/definitions.ts';
import type { FlagReason } from '../settings/evaluate-flag.ts';
import type { SettingsSource } from '../settings/settings-client.ts';

const REASONS: Record<FlagReason, string> = {
  DEFAULT: StandardResolutionReasons.DEFAULT,
  STATIC: StandardResolutionReasons.STATIC,
  DISABLED: StandardResolutionReasons.DISABLED,
  SCHEDULED: StandardResolutionReasons.DISABLED,
  PREREQUISITE: StandardResolutionReasons.TARGETING_MATCH,
  OVERRIDE: StandardResolutionReasons.TARGETING_MATCH,
  SEGMENT: StandardResolutionReasons.TARGETING_MATCH,
  ROLLOUT: StandardResolutionReasons.SPLIT,
};

/**
 * Flags and settings for OpenFeature's API, of a context or a host. A boolean is a flag, or a setting of that type; every other type is a
 * setting of a subgraph of this process. Keys are ids such as `boards.dark-mode`; attributes named like a kind of scope select its values.
 */
export function openFeatureProvider({ settings, now }: { settings: SettingsSource; now(): Date }): Provider {
  const events = new OpenFeatureEventEmitter();
  let stop: (() => void) | undefined;

  async function resolveSetting<T>(key: string, type: string, context: EvaluationContext): Promise<ResolutionDetails<T>> {
    const setting = settings.findSetting(key);
    if (!setting) throw new FlagNotFoundError(`There is no flag or setting ${key} here.`);
    const attributes = attributesOf(context);
    const ids = Object.fromEntries(setting.per.map((kind) => [kind, attributes[kind]?.toString()]));
    const value = await settings.get(setting, ids);
    if (typeof value !== type || value === null) throw new TypeMismatchError(`${key} is no ${type}.`);
    return { value: value as T, reason: StandardResolutionReasons.STATIC };
  }

  async function resolveFlag(key: string, context: EvaluationContext): Promise<ResolutionDetails<boolean>> {
    const flag = (await settings.flags())[key];
    if (!flag) return resolveSetting(key, 'boolean', context);
    const { isOn, reason, lacksSubject } = await settings.evaluate({ ...flag, id: key }, attributesOf(context), now());
    if (lacksSubject) throw new TargetingKeyMissingError(`${key} is on for some subjects only: name one.`);
    return { value: isOn, variant: isOn ? 'on' : 'off', reason: REASONS[reason], flagMetadata: { rule: reason } };
  }

  return {
    metadata: { name: 'settings' },
    runsOn: 'server',
    events,
    async initialize() {
      stop = settings.onEvent((event) => {
        if (event.kind === 'CHANGED') events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: event.ids });
        else events.emit(event.kind === 'STALE' ? ProviderEvents.Stale : ProviderEvents.Ready);
      });
    },
    async onClose() {
      stop?.();
    },
    resolveBooleanEvaluation: (key, _otherwise, context) => resolveFlag(key, context),
    resolveStringEvaluation: (key, _otherwise, context) => resolveSetting(key, 'string', context),
    resolveNumberEvaluation: (key, _otherwise, context) => resolveSetting(key, 'number', context),
    resolveObjectEvaluation: <T extends JsonValue>(key: string, _otherwise: T, context: EvaluationContext) =>
      resolveSetting<T>(key, 'object', context),
  };
}

/** Lists and objects are no attributes; a time is its text. */
function attributesOf(context: EvaluationContext): FlagAttributes {
  const entries = Object.entries(context).map(([name, value]) => [name, value instanceof Date ? value.toISOString() : value] as const);
  return Object.fromEntries(entries.filter((entry): entry is [string, string | number | boolean] => isPlain(entry[1])));
}

const isPlain = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);
