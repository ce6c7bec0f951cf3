import { z } from 'zod';
import { invalid, notFound, Problem } from '#shared/base/errors.ts';
import { checkSetting } from '#shared/kit/settings-commands.ts';
import { announceSettings } from '#shared/settings/announce.ts';
import { decodeValue, encodeValue } from '#shared/settings/setting-value.ts';
import { settingChanged } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Setting } from '../model.ts';
import { changeValue, expectedVersion, reason, Scope, scopeText, storedAt } from './values.ts';

const target = { id: z.string().max(200), scope: Scope.nullish(), expectedVersion, reason };

export const UpdateSetting = z.object({ ...target, value: z.string().max(10_000, 'must have at most 10,000 characters') });

/** Puts a value into force, if its owner's own schema takes it. Asks the owner before the transaction begins. */
export async function updateSetting(ctx: Ctx, { value, ...input }: z.infer<typeof UpdateSetting>) {
  const setting = await requireSetting(ctx, input.id);
  const json = jsonOf(value);
  const { issue } = await ctx.call(checkSetting(setting.owner), { id: setting._id, value: json });
  if (issue) throw refusedBySchema(issue.message, issue.path, issue.code);
  return store(ctx, setting, input, encodeValue(json, setting.isEncrypted));
}

export const ResetSetting = z.object(target);

/** Takes the value of a scope away, so that the next one holds: at last, the default. Needs no owner. */
export async function resetSetting(ctx: Ctx, input: z.infer<typeof ResetSetting>) {
  return store(ctx, await requireSetting(ctx, input.id), input, null);
}

export const RollbackSetting = z.object({ ...target, toVersion: z.int().min(0) });

/** Puts an earlier value into force again. The owner has taken it once; its JSON Schema of today must take it still. */
export async function rollbackSetting(ctx: Ctx, { toVersion, ...input }: z.infer<typeof RollbackSetting>) {
  const setting = await requireSetting(ctx, input.id);
  const stored = await storedAt(ctx, setting._id, scopeText(input.scope), toVersion);
  if (stored !== null && !fitsSchema(setting, stored)) {
    throw invalid(['input', 'toVersion'], 'The value of that version does not fit the definition of today.');
  }
  return store(ctx, setting, input, stored);
}

type Target = z.infer<typeof ResetSetting>;

async function store(ctx: Ctx, setting: Setting, { scope: wanted, expectedVersion: expected, reason: why }: Target, text: string | null) {
  const scope = scopeText(wanted);
  // A value of a kind that is not read any more can be taken away, and not be set.
  if (wanted && text !== null && !setting.per.includes(wanted.kind)) {
    throw invalid(['input', 'scope', 'kind'], `This setting has values per ${setting.per.join(', ') || 'nothing: it is global'}.`);
  }
  return ctx.transaction(async (inner) => {
    const version = await changeValue(inner, { of: setting._id, scope, expectedVersion: expected, text, reason: why, noun: 'setting' });
    const kinds = wanted && { $addToSet: { overridden: wanted.kind } };
    await inner.models.Setting.updateOne({ _id: setting._id }, { $inc: { revision: 1 }, ...kinds });
    inner.publish(settingChanged({ settingId: setting._id, scope, version, timestamp: ctx.now().toISOString() }));
    inner.afterCommit(() => announceSettings(ctx, scope));
    return { setting: await inner.models.Setting.findById(setting._id).lean() };
  });
}

async function requireSetting(ctx: Ctx, id: string): Promise<Setting> {
  const setting = await ctx.models.Setting.findById(id).lean();
  if (!setting) throw notFound('Setting', id, ['input', 'id']);
  return setting;
}

/** The same JSON in one spelling. */
function jsonOf(value: string): string {
  try {
    return JSON.stringify(JSON.parse(value));
  } catch {
    throw refusedBySchema('Must be JSON text, such as 600 or "LIVE" with its quotes.', [], 'invalid_json');
  }
}

const refusedBySchema = (message: string, path: readonly (string | number)[], rule: string): Problem =>
  new Problem('INVALID', message, { path: ['input', 'value', ...path], typename: 'InvalidSettingError', rule });

function fitsSchema({ valueSchema }: Setting, stored: string): boolean {
  const schema = z.fromJSONSchema(JSON.parse(valueSchema) as Parameters<typeof z.fromJSONSchema>[0]);
  return schema.safeParse(JSON.parse(decodeValue(stored))).success;
}
