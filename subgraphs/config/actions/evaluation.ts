import { z } from 'zod';
import { invalid } from '#shared/base/errors.ts';
import { validationMessage } from '#shared/base/validation-messages.ts';
import { NO_RULES, type FlagRules } from '#shared/settings/flag-rules.ts';
import { settings } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Flag } from '../model.ts';
import { allRules } from './rules.ts';

const DAY_MS = 24 * 3_600_000;

const Asked = z.object({
  keys: z.array(z.string().max(200)).max(100, 'must have at most 100 entries').nullish(),
  context: z
    .object({
      targetingKey: z.string().max(200).nullish(),
      attributes: z
        .array(z.object({ name: z.string().max(50), value: z.string().max(200) }))
        .max(20, 'must have at most 20 entries')
        .nullish(),
    })
    .nullish(),
});

/** The public flags as the viewer meets them. The viewer's own id cannot be claimed by another client. */
export async function evaluateFlags(ctx: Ctx, args: unknown) {
  const parsed = Asked.safeParse(args, { error: validationMessage });
  const issue = parsed.error?.issues[0];
  if (!parsed.success) throw invalid(issue!.path.map(String), issue!.message);
  const { keys, context } = parsed.data;
  const given = Object.fromEntries((context?.attributes ?? []).map(({ name, value }) => [name, value]));
  const attributes = { ...given, user: ctx.viewer?.id, targetingKey: context?.targetingKey ?? ctx.viewer?.id };
  const flags = Object.entries(await ctx.settings.flags()).filter(([id, flag]) => flag.public && (!keys || keys.includes(id)));
  return Promise.all(flags.map(async ([id, flag]) => ({ id, ...(await ctx.settings.evaluate({ ...flag, id }, attributes, ctx.now())) })));
}

type Staleness = 'NOT_REGISTERED' | 'NOT_EVALUATED' | 'FULLY_ON' | 'FULLY_OFF';

/** Flags that can leave the code, or have left it; those of the longest standing first. */
export async function staleFlags(ctx: Ctx, { days }: { days?: number | null }) {
  if (days !== undefined && days !== null && (days < 1 || days > 3_650)) throw invalid(['days'], 'Must be 1 to 3,650.');
  const since = new Date(ctx.now().getTime() - (days ?? (await ctx.settings.get(settings.staleFlagDays))) * DAY_MS);
  const rules = await allRules(ctx);
  const flags = await ctx.models.Flag.find().sort({ changedAt: 1, _id: 1 }).lean();
  return flags.flatMap((flag) => {
    const staleness = stalenessOf(flag, rules.get(flag._id) ?? NO_RULES, since);
    return staleness ? [{ flag, staleness }] : [];
  });
}

function stalenessOf(flag: Flag, rules: FlagRules, since: Date): Staleness | undefined {
  if (!flag.isRegistered) return 'NOT_REGISTERED';
  if ((flag.evaluatedAt ?? flag.registeredAt) < since) return 'NOT_EVALUATED';
  if (flag.changedAt >= since) return undefined;
  if (rules.isKilled) return 'FULLY_OFF';
  const isForSome =
    rules.segments.length > 0 || rules.prerequisites.length > 0 || rules.startsAt || rules.endsAt || flag.overridden.length > 0;
  if (isForSome) return undefined;
  const { percentage = (rules.isOn ?? flag.default) ? 100 : 0 } = rules.rollout ?? {};
  return percentage === 100 ? 'FULLY_ON' : percentage === 0 ? 'FULLY_OFF' : undefined;
}
