import { hasRole } from '#shared/kit/permissions.ts';

export const permissions = { Query: { jobAlerts: hasRole('admin') } };
