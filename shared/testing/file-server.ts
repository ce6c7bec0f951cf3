import { fastify } from 'fastify';
import type { Readable } from 'node:stream';
import { createUploads, uploadSettings, type Uploads, type UploadSettings } from '../uploads/uploads.ts';

export interface FileServer {
  /** UPLOADS_DIR, UPLOADS_URL and what else was given. */
  settings: UploadSettings;
  uploads: Uploads;
  close(): Promise<void>;
}

type Query = Record<string, string>;

/** Files of a folder over HTTP at a free port, as the routes of `uploadRoutes` serve them. */
export async function openFileServer(
  given: { UPLOADS_DIR: string; UPLOADS_SECRET?: string },
  options: { now?: () => Date } = {},
): Promise<FileServer> {
  const app = fastify({ forceCloseConnections: true });
  const made: { uploads?: Uploads } = {};
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
  app.route<{ Params: { '*': string }; Querystring: Query }>({
    method: ['GET', 'PUT'],
    url: '/uploads/*',
    bodyLimit: Number.MAX_SAFE_INTEGER,
    async handler({ method, params, query, headers, body, raw }, reply) {
      const response = await made.uploads!.serve({ method, key: params['*'], query, headers, body: body as Readable | undefined });
      if (!raw.complete) reply.header('connection', 'close');
      return reply.status(response.status).headers(response.headers).send(response.body);
    },
  });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const settings = uploadSettings.parse({ ...given, UPLOADS_URL: `${address}/uploads` });
  made.uploads = createUploads(settings, options);
  return { settings, uploads: made.uploads, close: () => app.close() };
}
