import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { email, text } from '#shared/base/input.ts';
import { userProfileUpdated } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import { seedAccount } from './register.ts';

const PASSWORD_BYTES = 15;

const CreateAdmin = z.object({ email: email(), name: text({ min: 1, max: 100 }), force: z.boolean().default(false) });

type Outcome =
  | { outcome: 'CREATED'; password: string }
  | { outcome: 'PROMOTED' | 'ADMIN_EXISTS' | 'INACTIVE' | 'UNVERIFIED'; password?: undefined };

/**
 * The first admin of a market. No field of the graph leads here: only the operator of the process can call it. A confirmed account keeps
 * its password and gets the role; an unknown one is made with a password that is shown once. `force` allows it beside another admin.
 */
export async function createAdmin(ctx: Ctx, wanted: z.input<typeof CreateAdmin>): Promise<Outcome> {
  const { email: address, name, force } = CreateAdmin.parse(wanted);
  const hasAdmin = (await ctx.models.User.exists({ roles: 'admin', isActive: true })) !== null;
  if (hasAdmin && !force) return { outcome: 'ADMIN_EXISTS' };
  const password = randomBytes(PASSWORD_BYTES).toString('base64url');
  const { isNew, user } = await seedAccount(ctx, { email: address, name, password, roles: ['customer', 'admin'] });
  if (isNew) return { outcome: 'CREATED', password };
  if (!user.isActive) return { outcome: 'INACTIVE' };
  // Anybody may have registered with this address.
  if (!user.verified) return { outcome: 'UNVERIFIED' };
  await promote(ctx, user._id);
  return { outcome: 'PROMOTED' };
}

const promote = (ctx: Ctx, userId: string): Promise<void> =>
  ctx.transaction(async (inner) => {
    await inner.models.User.updateOne({ _id: userId }, { $addToSet: { roles: 'admin' }, $inc: { version: 1 } });
    inner.publish(userProfileUpdated({ userId, changes: ['roles'] }));
  });
