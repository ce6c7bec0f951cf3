import { createHmac } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Problem, unavailable } from '../../base/errors.ts';
import type { Context } from '../../kit/context.ts';
import type { Route } from '../../kit/define-route.ts';
import type { Subgraph } from '../../kit/define-subgraph.ts';
import { download } from '../../kit/download.ts';
import { eventStream } from '../../kit/event-stream.ts';
import { and, contextRule, isSignedIn } from '../../kit/permissions.ts';
import { uploadRoutes } from '../../kit/upload-routes.ts';
import { webhook, type WebhookRequest } from '../../kit/webhook.ts';
import { createUploads, uploadSettings, type UploadSettings, type Uploads } from '../../uploads/uploads.ts';
import { subgraph, type Models } from './subgraph.ts';

/* The fixture subgraph with routes of every kind. */

type Ctx = Context<Models, unknown, { uploads: Uploads }>;

export interface BoardOrdered {
  id: string;
  title: string;
  /** How long the action takes. */
  takesMs?: number;
  fails?: boolean;
}

const SECRET = 'shared with the third party';
export const signatureOf = (body: string): string => createHmac('sha256', SECRET).update(body).digest('hex');

function verify(_ctx: Ctx, { headers, body }: WebhookRequest): BoardOrdered | null {
  if (headers['x-away']) throw unavailable('keys of the third party');
  if (headers['x-signature'] !== signatureOf(body.toString())) throw new Error(`${SECRET}: the signature does not fit`);
  const event = JSON.parse(body.toString()) as BoardOrdered;
  return event.title === 'of no interest' ? null : event;
}

async function addBoard(ctx: Ctx, { title, takesMs = 0, fails }: BoardOrdered): Promise<void> {
  await delay(takesMs);
  await ctx.models.Board.create([{ title }]);
  if (fails) throw new Problem('NO_SUCH_BOARD', 'There is no such board.');
}

/** Whoever is in this set of Redis hears and reads nothing any more. */
export const REMOVED = 'removed-viewers';
const isMember = contextRule<Ctx>(
  'isMember',
  async (ctx) => (await ctx.redis.sismember(`${ctx.redisPrefix}:${REMOVED}`, ctx.viewer!.id)) === 0,
);

export const LARGE = { chunks: 64, bytes: 256 * 1024 };
/** Chunks of the large file that were read so far. */
export const read = { chunks: 0 };

async function* largeFile(): AsyncGenerator<Buffer> {
  for (let index = 0; index < LARGE.chunks; index += 1) {
    read.chunks += 1;
    yield Buffer.alloc(LARGE.bytes, index);
  }
}

export const routes: Route<any>[] = [
  webhook('/hooks/boards/:provider', { description: 'Boards ordered elsewhere.', maxBytes: 1_000, verify, key: ({ id }) => id }, addBoard),
  eventStream('/api/v1/boards', {
    description: 'Boards as they come into being.',
    auth: and(isSignedIn, isMember),
    topics: () => ['boards:all', 'boards:others'],
    heartbeatMs: 100,
  }),
  download(
    '/files/boards/:id',
    { description: 'A board as CSV.', auth: and(isSignedIn, isMember) },
    async (ctx: Ctx, { id }: { id: string }) =>
      id === 'large'
        ? { body: largeFile(), contentType: 'application/octet-stream', fileName: 'large.bin', size: LARGE.chunks * LARGE.bytes }
        : {
            body: `id,viewer,roles\n${id},${ctx.viewer!.id},${ctx.viewer!.roles.join(' ')}\n`,
            contentType: 'text/csv; charset=utf-8',
            fileName: `../Tafel "${id}" \u2192 ${id}.csv`,
          },
  ),
  ...uploadRoutes(['public/boards'], (ctx: Ctx) => ctx.providers.uploads),
];

export const subgraphWithRoutes: Subgraph = {
  ...subgraph,
  routes,
  handlers: [...subgraph.handlers, ...routes.flatMap(({ handlers }) => handlers)],
  environment: uploadSettings,
  providers: (environment) => ({ uploads: createUploads(environment as UploadSettings) }),
};
