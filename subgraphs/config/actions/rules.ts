import { Problem, notFound, invalid } from '#shared/base/errors.ts';
import { GLOBAL } from '#shared/settings/definitions.ts';
import { FlagRules, NO_RULES } from '#shared/settings/flag-rules.ts';
import type { Ctx } from '../loaders.ts';
import type { Value } from '../model.ts';
import { valueId } from '../value-id.ts';

/** The rules in a stored text; the rules of a flag that nothing was decided about for null. */
export const rulesOf = (value: Pick<Value, 'text'> | null | undefined): FlagRules =>
  value?.text ? FlagRules.parse(JSON.parse(value.text)) : NO_RULES;

/** Before every change of what flags depend on: two changes at a time meet here. */
export const touchRuleGraph = async (ctx: Ctx): Promise<void> => {
  await ctx.models.RuleGraph.updateOne({ _id: 'rules' }, { $inc: { revision: 1 } }, { upsert: true });
};

/** The rules of all flags that have any, by the flag's id. */
export async function allRules(ctx: Ctx): Promise<Map<string, FlagRules>> {
  const flags = await ctx.models.Flag.find({}, { _id: 1 }).lean();
  const values = await ctx.models.Value.find({ _id: { $in: flags.map(({ _id }) => valueId(_id, GLOBAL)) } }).lean();
  return new Map(values.map((value) => [value.of, rulesOf(value)]));
}

/** Throws NOT_FOUND, FLAG_CYCLE or INVALID for rules that could not be evaluated. */
export async function requireSoundRules(ctx: Ctx, id: string, rules: FlagRules): Promise<void> {
  if (rules.startsAt && rules.endsAt && rules.startsAt >= rules.endsAt)
    throw invalid(['input', 'endsAt'], 'The end must come after the start.');
  const wanted = rules.prerequisites.map(({ flag }) => flag);
  const known = new Set((await ctx.models.Flag.find({ _id: { $in: wanted } }, { _id: 1 }).lean()).map(({ _id }) => _id));
  wanted.forEach((flag, index) => {
    if (!known.has(flag)) throw notFound('FeatureFlag', flag, ['input', 'prerequisites', index, 'flagId']);
  });
  const keys = rules.segments.map(({ segment }) => segment);
  const segments = new Set((await ctx.models.Segment.find({ _id: { $in: keys } }, { _id: 1 }).lean()).map(({ _id }) => _id));
  keys.forEach((key, index) => {
    if (!segments.has(key)) throw notFound('Segment', key, ['input', 'segments', index, 'segmentKey']);
  });
  if (wanted.length > 0) refuseCycle(id, (await allRules(ctx)).set(id, rules));
}

function refuseCycle(id: string, rules: ReadonlyMap<string, FlagRules>): void {
  const below = new Set((rules.get(id)?.prerequisites ?? []).map(({ flag }) => flag));
  for (const each of below) for (const { flag } of rules.get(each)?.prerequisites ?? []) below.add(flag);
  if (below.has(id)) {
    throw new Problem('FLAG_CYCLE', 'A flag cannot depend on itself, not even through others.', { path: ['input', 'prerequisites'] });
  }
}
