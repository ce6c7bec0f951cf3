import { mutation } from '#shared/kit/mutation.ts';
import type { ListArguments } from '#shared/store/pagination.ts';
import { evaluateFlags, staleFlags } from './actions/evaluation.ts';
import { RollbackFlag, rollbackFlag, UpdateFlag, updateFlag } from './actions/flags.ts';
import { flagChanges, listFlags, listHistory, listOverrides, listSegments, listSettings, settingChanges } from './actions/reading.ts';
import { rulesOf } from './actions/rules.ts';
import { DeleteSegment, deleteSegment, historyOf, SaveSegment, saveSegment } from './actions/segments.ts';
import { ResetSetting, resetSetting, RollbackSetting, rollbackSetting, UpdateSetting, updateSetting } from './actions/settings.ts';
import { scopeParts } from './actions/values.ts';
import { isEncryptedText } from '#shared/settings/setting-value.ts';
import type { Ctx } from './loaders.ts';
import type { Change, Flag, Segment, Setting, Value } from './model.ts';

type ById = { id: string };
const ownTransaction = { transaction: false };

const userOf = (id: string | null | undefined) => id && { id };
const shown = (text: string | null | undefined) => (text && !isEncryptedText(text) ? text : null);
const globalValue = ({ _id }: { _id: string }, ctx: Ctx): Promise<Value | null> => ctx.loaders.globalValue.load(_id);
const rules = async (flag: Flag, ctx: Ctx) => rulesOf(await globalValue(flag, ctx));

/** What a setting and a flag say of themselves and their global value. */
const definition = {
  id: ({ _id }: { _id: string }) => _id,
  scopes: ({ per }: { per: string[] }) => per,
  version: async (row: Setting | Flag, _args: unknown, ctx: Ctx) => (await globalValue(row, ctx))?.version ?? 0,
  updatedAt: async (row: Setting | Flag, _args: unknown, ctx: Ctx) => (await globalValue(row, ctx))?.updatedAt,
  updatedBy: async (row: Setting | Flag, _args: unknown, ctx: Ctx) => userOf((await globalValue(row, ctx))?.updatedBy),
  overrides: ({ _id }: { _id: string }, args: ListArguments, ctx: Ctx) => listOverrides(ctx, _id, args),
  history: ({ _id }: { _id: string }, args: ListArguments, ctx: Ctx) => listHistory(ctx, _id, args),
};

const scopedValue = {
  scope: ({ scope }: Value) => scopeParts(scope),
  updatedBy: ({ updatedBy }: Value) => userOf(updatedBy),
};

export const resolvers = {
  Query: {
    setting: (_root: unknown, { id }: ById, { loaders }: Ctx) => loaders.setting.load(id),
    settings: (_root: unknown, args: ListArguments, ctx: Ctx) => listSettings(ctx, args),
    flag: (_root: unknown, { id }: ById, { loaders }: Ctx) => loaders.flag.load(id),
    flags: (_root: unknown, args: ListArguments, ctx: Ctx) => listFlags(ctx, args),
    segments: (_root: unknown, args: ListArguments, ctx: Ctx) => listSegments(ctx, args),
    staleFlags: (_root: unknown, args: { days?: number | null }, ctx: Ctx) => staleFlags(ctx, args),
    evaluateFlags: (_root: unknown, args: unknown, ctx: Ctx) => evaluateFlags(ctx, args),
  },
  Mutation: {
    updateSetting: mutation(UpdateSetting, updateSetting, ownTransaction),
    resetSetting: mutation(ResetSetting, resetSetting, ownTransaction),
    rollbackSetting: mutation(RollbackSetting, rollbackSetting, ownTransaction),
    updateFlag: mutation(UpdateFlag, updateFlag),
    rollbackFlag: mutation(RollbackFlag, rollbackFlag),
    saveSegment: mutation(SaveSegment, saveSegment),
    deleteSegment: mutation(DeleteSegment, deleteSegment),
  },
  Subscription: { settingChanged: settingChanges, flagChanged: flagChanges },
  Setting: {
    __resolveReference: ({ id }: ById, { loaders }: Ctx) => loaders.setting.load(id),
    ...definition,
    value: async (row: Setting, _args: unknown, ctx: Ctx) => shown((await globalValue(row, ctx))?.text),
    isSet: async (row: Setting, _args: unknown, ctx: Ctx) => typeof (await globalValue(row, ctx))?.text === 'string',
  },
  SettingValue: {
    ...scopedValue,
    value: ({ text }: Value) => shown(text),
    isSet: ({ text }: Value) => typeof text === 'string',
  },
  FeatureFlag: {
    __resolveReference: ({ id }: ById, { loaders }: Ctx) => loaders.flag.load(id),
    ...definition,
    isKilled: async (flag: Flag, _args: unknown, ctx: Ctx) => (await rules(flag, ctx)).isKilled,
    isOn: async (flag: Flag, _args: unknown, ctx: Ctx) => (await rules(flag, ctx)).isOn,
    startsAt: async (flag: Flag, _args: unknown, ctx: Ctx) => (await rules(flag, ctx)).startsAt,
    endsAt: async (flag: Flag, _args: unknown, ctx: Ctx) => (await rules(flag, ctx)).endsAt,
    prerequisites: async (flag: Flag, _args: unknown, ctx: Ctx) => (await rules(flag, ctx)).prerequisites,
    segments: async (flag: Flag, _args: unknown, ctx: Ctx) => (await rules(flag, ctx)).segments,
    rollout: async (flag: Flag, _args: unknown, ctx: Ctx) => (await rules(flag, ctx)).rollout,
  },
  FlagPrerequisite: { flag: ({ flag }: { flag: string }, _args: unknown, { loaders }: Ctx) => loaders.flag.load(flag) },
  FlagSegment: { segment: ({ segment }: { segment: string }, _args: unknown, { loaders }: Ctx) => loaders.segment.load(segment) },
  FlagOverride: { ...scopedValue, isOn: ({ text }: Value) => (typeof text === 'string' ? text === 'true' : null) },
  SettingEvent: { setting: ({ settingId }: { settingId: string }, _args: unknown, { loaders }: Ctx) => loaders.setting.load(settingId) },
  FlagEvent: { flag: ({ flagId }: { flagId: string }, _args: unknown, { loaders }: Ctx) => loaders.flag.load(flagId) },
  Segment: {
    key: ({ _id }: Segment) => _id,
    conditions: ({ conditions }: Segment) => JSON.parse(conditions) as unknown,
    updatedBy: ({ updatedBy }: Segment) => userOf(updatedBy),
    history: ({ _id }: Segment, args: ListArguments, ctx: Ctx) => listHistory(ctx, historyOf(_id), args),
  },
  ConfigChange: {
    id: ({ _id }: Change) => _id,
    scope: ({ scope }: Change) => scopeParts(scope),
    before: ({ before }: Change) => shown(before),
    after: ({ after }: Change) => shown(after),
    by: ({ by }: Change) => userOf(by),
  },
};
