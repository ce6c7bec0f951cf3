import type { Ctx } from '../loaders.ts';
import { seesPrivate } from '../visibility.ts';

/** An import or export, if the viewer may edit products of its vendor; to others there is none. */
export async function findJob<T extends { vendorId: string }>(
  ctx: Ctx,
  loader: { load(id: string): Promise<T | null> },
  id: string,
): Promise<T | null> {
  const found = await loader.load(id);
  return found && (await seesPrivate(ctx, found.vendorId)) ? found : null;
}
