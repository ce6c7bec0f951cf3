import type { Context } from '#shared/kit/context.ts';
import { byId } from '#shared/store/loaders.ts';
import type { Models } from './model.ts';
import type { Ports } from './ports/ports.ts';

export const loaders = ({ User }: Models) => ({ user: byId(User) });

export type Ctx = Context<Models, ReturnType<typeof loaders>, Ports>;
