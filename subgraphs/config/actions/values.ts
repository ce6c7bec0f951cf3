import { z } from 'zod';
import { notFound } from '#shared/base/errors.ts';
import { text } from '#shared/base/input.ts';
import { GLOBAL, scopeOf } from '#shared/settings/definitions.ts';
import { isDuplicateKey } from '#shared/store/mongo.ts';
import { staleVersion } from '#shared/store/versioned-update.ts';
import type { Ctx } from '../loaders.ts';
import { valueId } from '../value-id.ts';

export const reason = text({ min: 1, max: 500 });
export const expectedVersion = z.int().min(0);

export const Scope = z.object({
  kind: z.string().max(50),
  id: z.string().regex(/^[\w.-]{1,100}$/, 'must be 1 to 100 letters, digits, dots, dashes and underscores'),
});

export const scopeText = (scope: z.infer<typeof Scope> | null | undefined): string => (scope ? scopeOf(scope.kind, scope.id) : GLOBAL);

/** The kind and the id of a scope; null for the global one. */
export function scopeParts(scope: string): z.infer<typeof Scope> | null {
  const colon = scope.indexOf(':');
  return colon < 0 ? null : { kind: scope.slice(0, colon), id: scope.slice(colon + 1) };
}

interface NewValue {
  of: string;
  scope: string;
  /** The version that the admin has seen; 0 where there is no value yet. */
  expectedVersion: number;
  /** What is stored; null resets it. */
  text: string | null;
  reason: string;
  /** For people, such as "setting". */
  noun: string;
}

/** Puts a value into force and records who did it, in the running transaction. Returns its version; throws STALE_VERSION. */
export async function changeValue(
  ctx: Ctx,
  { of, scope, expectedVersion: expected, text: after, reason: why, noun }: NewValue,
): Promise<number> {
  const _id = valueId(of, scope);
  const before = await ctx.models.Value.findById(_id).lean();
  const current = before?.version ?? 0;
  if (current !== expected) throw staleVersion(noun, current);
  const version = current + 1;
  const by = ctx.viewer!.id;
  const at = ctx.now();
  const stamp = { text: after, version, updatedAt: at, updatedBy: by };
  if (before) {
    const { modifiedCount } = await ctx.models.Value.updateOne({ _id, version: current }, { $set: stamp });
    if (modifiedCount === 0) throw staleVersion(noun, version);
  } else {
    await ctx.models.Value.create([{ _id, of, scope, ...stamp }]).catch((error: unknown) => {
      throw isDuplicateKey(error) ? staleVersion(noun, version) : error;
    });
  }
  await ctx.models.Change.create([{ of, scope, version, before: before?.text ?? null, after, reason: why, by, at }]);
  return version;
}

/** What was stored in a scope at an earlier version; null at version 0, before the first change. NOT_FOUND when there never was such a version. */
export async function storedAt(ctx: Ctx, of: string, scope: string, version: number): Promise<string | null> {
  if (version === 0) return null;
  const change = await ctx.models.Change.findOne({ of, scope, version }, { after: 1 }).lean();
  if (!change) throw notFound('version', String(version), ['input', 'toVersion']);
  return change.after ?? null;
}
