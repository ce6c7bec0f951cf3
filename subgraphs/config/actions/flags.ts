import { z } from 'zod';
import { invalid, notFound } from '#shared/base/errors.ts';
import { list } from '#shared/base/input.ts';
import { announceSettings } from '#shared/settings/announce.ts';
import { FlagRules } from '#shared/settings/flag-rules.ts';
import { flagChanged } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Flag } from '../model.ts';
import { valueId } from '../value-id.ts';
import { requireSoundRules, rulesOf, touchRuleGraph } from './rules.ts';
import { changeValue, expectedVersion, reason, Scope, scopeText, storedAt } from './values.ts';

const target = { id: z.string().max(200), scope: Scope.nullish(), expectedVersion, reason };
const id = z.string().max(200);
const time = z.date().nullish();

export const UpdateFlag = z.object({
  ...target,
  isOn: z.boolean().nullish(),
  isKilled: z.boolean().optional(),
  startsAt: time,
  endsAt: time,
  prerequisites: list(z.object({ flagId: id, isOn: z.boolean() }), { max: 10 }).optional(),
  segments: list(z.object({ segmentKey: id, isOn: z.boolean() }), { max: 20 }).optional(),
  rollout: z
    .object({
      percentage: z
        .number()
        .min(0, 'must be at least 0')
        .max(100, 'must be at most 100')
        .multipleOf(0.01, 'must have at most two decimals'),
      by: z.string().min(1).max(50).default('targetingKey'),
    })
    .nullish(),
});

/** Changes the rules that are given, or the decision of one scope. */
export async function updateFlag(ctx: Ctx, input: z.infer<typeof UpdateFlag>) {
  const flag = await requireFlag(ctx, input.id);
  if (input.scope) return store(ctx, flag, input, overrideOf(flag, input));
  await touchRuleGraph(ctx);
  const before = rulesOf(await ctx.models.Value.findById(valueId(flag._id, scopeText(null))).lean());
  const rules: FlagRules = { ...before, ...changesOf(input) };
  await requireSoundRules(ctx, flag._id, rules);
  return store(ctx, flag, input, JSON.stringify(rules));
}

export const RollbackFlag = z.object({ ...target, toVersion: z.int().min(0) });

/** Puts earlier rules, or an earlier decision of one scope, into force again. */
export async function rollbackFlag(ctx: Ctx, { toVersion, ...input }: z.infer<typeof RollbackFlag>) {
  const flag = await requireFlag(ctx, input.id);
  await touchRuleGraph(ctx);
  const stored = await storedAt(ctx, flag._id, scopeText(input.scope), toVersion);
  // Flags and segments that the rules of then name may be gone.
  if (!input.scope) await requireSoundRules(ctx, flag._id, rulesOf({ text: stored }));
  return store(ctx, flag, input, stored);
}

/** The decision of one scope as text; null leaves it to the rules. */
function overrideOf(flag: Flag, input: z.infer<typeof UpdateFlag>): string | null {
  const { kind } = input.scope!;
  const isOn = input.isOn ?? null;
  if (isOn !== null && !flag.per.includes(kind)) {
    throw invalid(['input', 'scope', 'kind'], `This flag is decided per ${flag.per.join(', ') || 'nothing: it is global'}.`);
  }
  const other = GLOBAL_ONLY.find((field) => input[field] !== undefined);
  if (other) throw invalid(['input', other], 'A scope is on or off: every other rule is global.');
  return isOn === null ? null : JSON.stringify(isOn);
}

const GLOBAL_ONLY = ['isKilled', 'startsAt', 'endsAt', 'prerequisites', 'segments', 'rollout'] as const;

/** The given ones among the rules of an input. */
function changesOf(input: z.infer<typeof UpdateFlag>): Partial<FlagRules> {
  const { isOn, isKilled, startsAt, endsAt, prerequisites, segments, rollout } = input;
  return {
    ...(isOn !== undefined && { isOn }),
    ...(isKilled !== undefined && { isKilled }),
    ...(startsAt !== undefined && { startsAt: startsAt?.toISOString() ?? null }),
    ...(endsAt !== undefined && { endsAt: endsAt?.toISOString() ?? null }),
    ...(prerequisites && { prerequisites: prerequisites.map(({ flagId, isOn: wanted }) => ({ flag: flagId, isOn: wanted })) }),
    ...(segments && { segments: segments.map(({ segmentKey, isOn: decided }) => ({ segment: segmentKey, isOn: decided })) }),
    ...(rollout !== undefined && { rollout }),
  };
}

type Target = Pick<z.infer<typeof UpdateFlag>, 'scope' | 'expectedVersion' | 'reason'>;

async function store(ctx: Ctx, { _id }: Flag, { scope: wanted, expectedVersion: expected, reason: why }: Target, text: string | null) {
  const scope = scopeText(wanted);
  const version = await changeValue(ctx, { of: _id, scope, expectedVersion: expected, text, reason: why, noun: 'flag' });
  const kinds = wanted && { $addToSet: { overridden: wanted.kind } };
  const flag = await ctx.models.Flag.findOneAndUpdate(
    { _id },
    { $set: { changedAt: ctx.now() }, $inc: { revision: 1 }, ...kinds },
    { returnDocument: 'after' },
  ).lean();
  ctx.publish(flagChanged({ flagId: _id, scope, version, timestamp: ctx.now().toISOString() }));
  ctx.afterCommit(() => announceSettings(ctx, scope));
  return { flag };
}

async function requireFlag(ctx: Ctx, flagId: string): Promise<Flag> {
  const flag = await ctx.models.Flag.findById(flagId).lean();
  if (!flag) throw notFound('FeatureFlag', flagId, ['input', 'id']);
  return flag;
}
