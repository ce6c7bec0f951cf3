import type { Context } from '#shared/kit/context.ts';
import type { Models } from './model.ts';
import type { Providers } from './providers.ts';

export const loaders = () => ({});

export type Ctx = Context<Models, ReturnType<typeof loaders>, Providers>;
