import { z } from 'zod';
import { notFound, Problem } from '#shared/base/errors.ts';
import { list, slug, text } from '#shared/base/input.ts';
import { announceSettings } from '#shared/settings/announce.ts';
import { GLOBAL } from '#shared/settings/definitions.ts';
import { Conditions } from '#shared/settings/flag-rules.ts';
import { staleVersion } from '#shared/store/versioned-update.ts';
import { flagChanged } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { allRules, touchRuleGraph } from './rules.ts';
import { expectedVersion, reason } from './values.ts';

const MAX_SEGMENTS = 500;

const condition = z.object({
  attribute: z.string().min(1, 'must not be empty').max(50, 'must have at most 50 characters'),
  operator: Conditions.element.shape.operator,
  values: list(z.string().max(200, 'must have at most 200 characters'), { min: 1, max: 1_000 }),
});

export const SaveSegment = z.object({
  key: slug(),
  description: text({ min: 1, max: 500 }),
  conditions: list(condition, { min: 1, max: 20 }),
  expectedVersion,
  reason,
});

/** Makes a segment (`expectedVersion` 0) or changes it; the flags that use it follow. */
export async function saveSegment(ctx: Ctx, { key, expectedVersion: expected, reason: why, ...input }: z.infer<typeof SaveSegment>) {
  await touchRuleGraph(ctx);
  const before = await ctx.models.Segment.findById(key).lean();
  // Versions go on where a segment of this key was deleted.
  const last = await ctx.models.Change.findOne({ of: historyOf(key) }, { version: 1 })
    .sort({ _id: -1 })
    .lean();
  if ((before?.version ?? 0) !== expected) throw staleVersion('segment', before?.version ?? 0);
  if (!before && (await ctx.models.Segment.countDocuments()) >= MAX_SEGMENTS) {
    throw new Problem('TOO_MANY_SEGMENTS', `There can be ${MAX_SEGMENTS} segments: delete one that no flag uses.`, {
      path: ['input', 'key'],
    });
  }
  const version = (last?.version ?? 0) + 1;
  const conditions = JSON.stringify(input.conditions);
  const stamp = { description: input.description, conditions, version, updatedAt: ctx.now(), updatedBy: ctx.viewer!.id };
  const segment = await ctx.models.Segment.findOneAndUpdate(
    { _id: key },
    { $set: stamp },
    { upsert: true, returnDocument: 'after' },
  ).lean();
  await record(ctx, { key, version, before: before?.conditions ?? null, after: conditions, reason: why });
  await tellUsers(ctx, key, version);
  return { segment };
}

export const DeleteSegment = z.object({ key: z.string().max(200), expectedVersion, reason });

/** Refused while rules name it. */
export async function deleteSegment(ctx: Ctx, { key, expectedVersion: expected, reason: why }: z.infer<typeof DeleteSegment>) {
  await touchRuleGraph(ctx);
  const before = await ctx.models.Segment.findById(key).lean();
  if (!before) throw notFound('Segment', key, ['input', 'key']);
  if (before.version !== expected) throw staleVersion('segment', before.version);
  const [user] = await usersOf(ctx, key);
  if (user) throw new Problem('SEGMENT_IN_USE', `The flag ${user} uses this segment.`, { path: ['input', 'key'] });
  await ctx.models.Segment.deleteOne({ _id: key });
  await record(ctx, { key, version: before.version + 1, before: before.conditions, after: null, reason: why });
  return { deletedKey: key };
}

/** The flags whose rules name the segment. */
async function usersOf(ctx: Ctx, key: string): Promise<string[]> {
  const rules = await allRules(ctx);
  return [...rules].filter(([, { segments }]) => segments.some(({ segment }) => segment === key)).map(([id]) => id);
}

async function tellUsers(ctx: Ctx, key: string, version: number): Promise<void> {
  const users = await usersOf(ctx, key);
  if (users.length === 0) return;
  const timestamp = ctx.now().toISOString();
  ctx.publish(...users.map((flagId) => flagChanged({ flagId, scope: GLOBAL, version, timestamp })));
  ctx.afterCommit(() => announceSettings(ctx, GLOBAL));
}

/** Under which name the history of a segment is kept: no id of a setting or flag begins like this. */
export const historyOf = (key: string): string => `segment ${key}`;

interface SegmentChange {
  key: string;
  version: number;
  before: string | null;
  after: string | null;
  reason: string;
}

const record = (ctx: Ctx, { key, ...change }: SegmentChange) =>
  ctx.models.Change.create([{ of: historyOf(key), scope: GLOBAL, ...change, by: ctx.viewer!.id, at: ctx.now() }]);
