import { hash } from 'node:crypto';
import type { Registration } from '#shared/kit/settings-commands.ts';
import { announceSettings } from '#shared/settings/announce.ts';
import { GLOBAL } from '#shared/settings/definitions.ts';
import { definitionsRegistered } from '../contract.ts';
import type { Ctx } from '../loaders.ts';

/**
 * Processes register every five minutes. A newer build that nobody was seen with for so long was rolled back, and an older one counts again.
 */
const BUILD_GONE_MS = 15 * 60_000;

/** Takes over what the newest build of a subgraph defines. During a deploy, older processes change nothing. */
export async function register(ctx: Ctx, { owner, build, settings, flags, evaluated }: Registration) {
  const now = ctx.now();
  const known = await ctx.models.Registration.findById(owner).lean();
  await noteEvaluations(ctx, evaluated);
  if (known && build < known.build && now.getTime() - known.seenAt.getTime() < BUILD_GONE_MS) return { accepted: false };
  const digest = hash('sha256', JSON.stringify([settings, flags]));
  await ctx.models.Registration.updateOne({ _id: owner }, { $set: { build, digest, seenAt: now } }, { upsert: true });
  if (known?.digest === digest) return { accepted: true };
  await writeSettings(ctx, owner, settings);
  await writeFlags(ctx, owner, flags);
  ctx.publish(definitionsRegistered({ owner, build, timestamp: now.toISOString() }));
  ctx.afterCommit(() => announceSettings(ctx, GLOBAL));
  return { accepted: true };
}

async function noteEvaluations(ctx: Ctx, ids: string[]): Promise<void> {
  if (ids.length > 0) await ctx.models.Flag.updateMany({ _id: { $in: ids } }, { $set: { evaluatedAt: ctx.now() } });
}

async function writeSettings(ctx: Ctx, owner: string, settings: Registration['settings']): Promise<void> {
  await ctx.models.Setting.updateMany({ owner, _id: { $nin: settings.map(({ id }) => id) } }, { $set: { isRegistered: false } });
  if (settings.length === 0) return;
  await ctx.models.Setting.bulkWrite(
    settings.map(({ id, description, schema, default: fallback, per, encrypted }) => ({
      updateOne: {
        filter: { _id: id },
        update: {
          $set: { owner, description, valueSchema: schema, default: fallback, per, isEncrypted: encrypted, isRegistered: true },
          $setOnInsert: { overridden: [], revision: 0, registeredAt: ctx.now() },
        },
        upsert: true,
      },
    })),
  );
}

async function writeFlags(ctx: Ctx, owner: string, flags: Registration['flags']): Promise<void> {
  await ctx.models.Flag.updateMany({ owner, _id: { $nin: flags.map(({ id }) => id) } }, { $set: { isRegistered: false } });
  if (flags.length === 0) return;
  await ctx.models.Flag.bulkWrite(
    flags.map(({ id, description, default: fallback, per, public: isPublic }) => ({
      updateOne: {
        filter: { _id: id },
        update: {
          $set: { owner, description, default: fallback, per, isPublic, isRegistered: true },
          $setOnInsert: { overridden: [], revision: 0, registeredAt: ctx.now(), changedAt: ctx.now(), evaluatedAt: null },
        },
        upsert: true,
      },
    })),
  );
}
