import { Readable } from 'node:stream';
import { create as contentDisposition } from 'content-disposition';
import type { z } from 'zod';
import type { AnyContext } from './context.ts';
import { routeArguments, type Route } from './define-route.ts';
import { authorize, type Rule } from './permissions.ts';
import { hasSignature, readSignedAddress } from './signed-address.ts';

export interface DownloadFile {
  /** Passed on as it comes: a large file is not held in memory. */
  body: Readable | AsyncIterable<Uint8Array> | Buffer | string;
  /** A media type, with its charset for text. */
  contentType: string;
  /** Under which the client saves it; of any language. */
  fileName: string;
  /** Where it is known, so that the client can show progress. */
  size?: number | undefined;
}

interface DownloadOptions<A> {
  description: string;
  /** Asked at each use, also of a signed address. Its arguments are those of the action. */
  auth: Rule;
  /** Checks the parameters of path and query. Default: those of the path as they are. */
  input?: z.ZodType<A>;
}

const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(?:; ?[\w-]+="?[\w.-]+"?)*$/;
const MAX_NAME_LENGTH = 150;

/**
 * Streams a file at `/files/...`, to a viewer with a token, or to whoever has an address of `ctx.signedPath`. The client saves it; nothing of it
 * can run in a page of this origin.
 */
export function download<C extends AnyContext, A = Record<string, string>>(
  path: string,
  { description, auth, input }: DownloadOptions<A>,
  action: (ctx: C, args: A) => Promise<DownloadFile>,
): Route<C> {
  return {
    kind: 'download',
    method: 'GET',
    path,
    description,
    caller: 'VIEWER',
    maxBytes: 0,
    buffersBody: false,
    isAdmitted: true,
    identify: ({ url, identity }, now) => (hasSignature(url) ? { ...identity, viewer: readSignedAddress(url, now) } : undefined),
    async handle(ctx, asked) {
      const args = routeArguments(input, asked);
      await authorize(auth, ctx, args as object);
      const { body, contentType, fileName, size } = await action(ctx, args);
      if (!MEDIA_TYPE.test(contentType)) throw new TypeError(`"${contentType}" is no media type`);
      return {
        status: 200,
        headers: {
          'content-type': contentType,
          'content-disposition': contentDisposition(safeName(fileName)),
          ...(size !== undefined && { 'content-length': String(size) }),
          'accept-ranges': 'none',
          'cache-control': 'private, no-store',
          'x-content-type-options': 'nosniff',
          'content-security-policy': "default-src 'none'; sandbox",
        },
        body: typeof body === 'string' || Buffer.isBuffer(body) ? body : streamOf(body),
      };
    },
    handlers: [],
  };
}

const streamOf = (body: Readable | AsyncIterable<Uint8Array>): Readable =>
  body instanceof Readable ? body : Readable.from(body, { objectMode: false });

/** Of one line, without a folder. */
const safeName = (name: string): string =>
  name
    .replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069/\\:*?"<>|]+/gu, '-')
    .replace(/^[.\s]+/, '')
    .slice(0, MAX_NAME_LENGTH) || 'file';
