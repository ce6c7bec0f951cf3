import { listAlerts } from './actions/alerts.ts';
import type { Ctx } from './loaders.ts';

export const resolvers = {
  Query: { jobAlerts: (_root: unknown, _args: unknown, ctx: Ctx) => listAlerts(ctx) },
};
