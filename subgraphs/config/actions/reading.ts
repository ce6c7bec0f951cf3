import { connection, type ListArguments } from '#shared/store/pagination.ts';
import { GLOBAL } from '#shared/settings/definitions.ts';
import { topicStream } from '#shared/kit/topic-stream.ts';
import { forbidden, unauthenticated } from '#shared/base/errors.ts';
import { FLAGS_TOPIC, SETTINGS_TOPIC } from '../contract.ts';
import type { Ctx } from '../loaders.ts';
import type { Change, Value } from '../model.ts';
import { scopeParts } from './values.ts';

const FIELDS = { id: { kind: 'id', path: '_id' }, owner: 'text', isRegistered: 'boolean' } as const;
const BY_ID = { sorts: { ID: '_id' }, defaultSort: { field: 'ID' } } as const;

export const listSettings = (ctx: Ctx, args: ListArguments) =>
  connection(ctx.models.Setting, { ...args, ...BY_ID, fields: { ...FIELDS, isEncrypted: 'boolean' } });

export const listFlags = (ctx: Ctx, args: ListArguments) =>
  connection(ctx.models.Flag, { ...args, ...BY_ID, fields: { ...FIELDS, isPublic: 'boolean' } });

export const listSegments = (ctx: Ctx, args: ListArguments) => connection(ctx.models.Segment, { ...args, ...BY_ID });

/** The values of the scopes that are not global. */
export const listOverrides = (ctx: Ctx, of: string, args: ListArguments) =>
  connection<Value>(ctx.models.Value, { ...args, ...BY_ID, filter: { of, scope: { $ne: GLOBAL } } });

/** All changes of a setting, a flag or a segment, the newest first. */
export const listHistory = (ctx: Ctx, of: string, args: ListArguments) =>
  connection<Change>(ctx.models.Change, { ...args, filter: { of } });

function requireAdmin({ viewer }: Ctx): void {
  if (!viewer) throw unauthenticated();
  if (!viewer.roles.includes('admin')) throw forbidden();
}

interface Changed {
  scope: string;
  version: number;
}

export const settingChanges = topicStream<Ctx, object, Changed & { settingId: string }, void>({
  topic: () => SETTINGS_TOPIC,
  authorize: requireAdmin,
  resolve: ({ data: { settingId, scope, version } }) => ({ settingId, scope: scopeParts(scope), version }),
});

export const flagChanges = topicStream<Ctx, object, Changed & { flagId: string }, void>({
  topic: () => FLAGS_TOPIC,
  authorize: requireAdmin,
  resolve: ({ data: { flagId, scope } }) => ({ flagId, scope: scopeParts(scope) }),
});
