import type { Context } from '#shared/kit/context.ts';
import { byId } from '#shared/store/loaders.ts';
import type { Models } from './model.ts';
import type { Providers } from './providers/providers.ts';

export const loaders = ({ User }: Models) => ({ user: byId(User) });

export type Ctx = Context<Models, ReturnType<typeof loaders>, Providers>;
