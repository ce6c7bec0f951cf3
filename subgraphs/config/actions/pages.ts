import { GLOBAL } from '#shared/settings/definitions.ts';
import { Conditions } from '#shared/settings/flag-rules.ts';
import { EMPTY_PAGE, type SettingsPage } from '#shared/settings/page.ts';
import type { Ctx } from '../loaders.ts';
import type { Value } from '../model.ts';
import { rulesOf } from './rules.ts';

/** The values of scopes, as processes keep them. */
export async function readPages(ctx: Ctx, { scopes }: { scopes: string[] }) {
  const rows = await ctx.models.Value.find({ scope: { $in: scopes } }).lean();
  const inForce = rows.filter(({ text }) => typeof text === 'string');
  const byScope = Map.groupBy(inForce, ({ scope }) => scope);
  const pages = scopes.map(async (scope) => {
    const values = byScope.get(scope) ?? [];
    return { scope, page: scope === GLOBAL ? await globalPage(ctx, values) : await scopedPage(ctx, values) };
  });
  return { pages: await Promise.all(pages) };
}

async function scopedPage(ctx: Ctx, values: Value[]): Promise<SettingsPage> {
  if (values.length === 0) return EMPTY_PAGE;
  const flags = await ctx.models.Flag.find({ _id: { $in: values.map(({ of }) => of) } }, { _id: 1 }).lean();
  const flagIds = new Set(flags.map(({ _id }) => _id));
  const [overrides, settings] = [values.filter(({ of }) => flagIds.has(of)), values.filter(({ of }) => !flagIds.has(of))];
  return {
    ...EMPTY_PAGE,
    settings: Object.fromEntries(settings.map(({ of, text }) => [of, text!])),
    overrides: Object.fromEntries(overrides.map(({ of, text }) => [of, text === 'true'])),
  };
}

async function globalPage(ctx: Ctx, values: Value[]): Promise<SettingsPage> {
  const [flags, settings] = await Promise.all([
    ctx.models.Flag.find().lean(),
    ctx.models.Setting.find({}, { overridden: 1, revision: 1 }).lean(),
  ]);
  const rules = new Map(values.map((value) => [value.of, value]));
  const flagIds = new Set(flags.map(({ _id }) => _id));
  const known = flags.map((flag) => {
    const value = rules.get(flag._id);
    const { default: fallback, per, isPublic } = flag;
    return [flag._id, { default: fallback, per, public: isPublic && flag.isRegistered, rules: value ? rulesOf(value) : null }] as const;
  });
  const segments = new Set(known.flatMap(([, each]) => (each.rules?.segments ?? []).map(({ segment }) => segment)));
  const found = await ctx.models.Segment.find({ _id: { $in: [...segments] } }).lean();
  const overridden = [...flags, ...settings].filter((each) => each.overridden.length > 0);
  return {
    settings: Object.fromEntries(values.filter(({ of }) => !flagIds.has(of)).map(({ of, text }) => [of, text!])),
    overrides: {},
    flags: Object.fromEntries(known),
    segments: Object.fromEntries(found.map(({ _id, conditions }) => [_id, Conditions.parse(JSON.parse(conditions))])),
    overridden: Object.fromEntries(overridden.map(({ _id, overridden: kinds, revision }) => [_id, { kinds, revision }])),
  };
}
