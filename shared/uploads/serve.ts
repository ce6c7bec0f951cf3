import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { extname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isSigned, partBeside, pathOf, publish, putFacts, sizeOf, type DiskSettings } from './disk.ts';
import { FILE_TYPES, SNIFFED_BYTES, typeOfExtension, type FileType } from './file-types.ts';

/** A request for a file of a folder. Below the path of `UPLOADS_URL`, `key` is the rest of the path. */
export interface FileRequest {
  method: string;
  key: string;
  query: Readonly<Record<string, string | undefined>>;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Readable | undefined;
}

export interface FileResponse {
  status: number;
  headers: Record<string, string>;
  body?: Readable | string;
}

/** Why bytes were not taken, with the status it is answered by. */
class Refused extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** A signature names the exact size; this only bounds what is read at all. */
export const LARGEST_UPLOAD = 1024 * 1024 * 1024;
/** Addresses carry their right with them, so any page may use them; no cookie is ever read. */
const CROSS_ORIGIN = { 'access-control-allow-origin': '*' };

/**
 * Takes and gives the files of a folder: PUT with a signed address, GET of public files by anybody and of private ones with a signed address.
 * Nothing that is served can run as script in a page of this origin.
 */
export async function serveFile(request: FileRequest, disk: DiskSettings, now: Date): Promise<FileResponse> {
  try {
    if (request.method !== 'PUT') return withCrossOrigin(await give(request, disk, now));
    await take(request, disk, now);
    return withCrossOrigin({ status: 201, headers: {} });
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return withCrossOrigin({
      status: error.status,
      headers: { 'content-type': 'application/json; charset=utf-8' },
      body: JSON.stringify({ error: error.message }),
    });
  }
}

/** For files that are in a bucket: none is here. */
export const noFile = (): FileResponse => ({
  status: 404,
  headers: { 'content-type': 'application/json' },
  body: '{"error":"There is no such file."}',
});

const withCrossOrigin = ({ headers, ...response }: FileResponse): FileResponse => ({
  ...response,
  headers: { ...headers, ...CROSS_ORIGIN },
});

async function take({ key, query, headers, body }: FileRequest, { directory, secret }: DiskSettings, now: Date): Promise<void> {
  const { expires, signature, size } = query;
  const contentType = String(headers['content-type'] ?? '');
  const announced = Number(size);
  const grant = { method: 'PUT' as const, key, expiresAt: Number(expires), facts: putFacts(contentType, announced) };
  if (!isSigned(secret, grant, String(signature))) throw new Refused(403, 'This address was not given out for this file.');
  if (now.getTime() > grant.expiresAt) throw new Refused(403, 'This address is too old.');
  const length = headers['content-length'];
  if (length !== undefined && Number(length) !== announced) throw new Refused(413, `The file must have exactly ${announced} bytes.`);
  const type = FILE_TYPES.get(contentType);
  if (!type || type.isMadeHere) throw new Refused(415, 'Files of this type are not taken.');
  await keep(body ?? Readable.from([]), pathOf(directory, grant.key), { type, announced });
}

/** Paths whose file is coming in: an address is good for one file, and so for the disk space of one. */
const coming = new Set<string>();

async function keep(body: Readable, path: string, expected: { type: FileType; announced: number }): Promise<void> {
  if (coming.has(path)) throw new Refused(409, 'A file is being handed in here already.');
  coming.add(path);
  try {
    await keepAlone(body, path, expected);
  } finally {
    coming.delete(path);
  }
}

async function keepAlone(body: Readable, path: string, expected: { type: FileType; announced: number }): Promise<void> {
  if ((await sizeOf(path)) !== undefined) throw new Refused(409, 'A file was handed in here already.');
  const part = await partBeside(path);
  const file = createWriteStream(part, { flush: true });
  const isClosed = new Promise<void>((resolve) => file.once('close', () => resolve()));
  try {
    await pipeline(body, (source) => checked(source, expected), file);
    if (!(await publish(part, path))) throw new Refused(409, 'A file was handed in here already.');
  } finally {
    // A file that is still being opened would come back behind its removal.
    await isClosed;
    await rm(part, { force: true });
  }
}

/** Lets through exactly the announced bytes, once the first of them are seen to be of the announced type. */
async function* checked(source: AsyncIterable<Buffer>, { type, announced }: { type: FileType; announced: number }): AsyncGenerator<Buffer> {
  let seen = 0;
  let start: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of source) {
    seen += chunk.length;
    if (seen > announced) throw new Refused(413, `The file must have exactly ${announced} bytes.`);
    if (!start) {
      yield chunk;
      continue;
    }
    start = Buffer.concat([start, chunk]);
    if (start.length < SNIFFED_BYTES && seen < announced) continue;
    if (!type.fits(start.subarray(0, SNIFFED_BYTES))) throw new Refused(415, 'The content is not of the type it was announced as.');
    yield start;
    start = undefined;
  }
  if (seen < announced) throw new Refused(400, `The file must have exactly ${announced} bytes.`);
}

async function give({ key, query }: FileRequest, { directory, secret }: DiskSettings, now: Date): Promise<FileResponse> {
  const path = readablePath(directory, key);
  const found = path && typeOfExtension(extname(path).slice(1));
  if (!path || !found) throw new Refused(404, 'There is no such file.');
  const { expires, signature, name = '' } = query;
  const isPublic = key.startsWith('public/');
  if (!isPublic) {
    const grant = { method: 'GET' as const, key, expiresAt: Number(expires), facts: name };
    // The same answer as for a file that is not there: an address that was not given out says nothing.
    if (!isSigned(secret, grant, String(signature)) || now.getTime() > grant.expiresAt) throw new Refused(404, 'There is no such file.');
  }
  const size = await sizeOf(path);
  if (size === undefined) throw new Refused(404, 'There is no such file.');
  const [contentType, type] = found;
  const disposition = type.inline && isPublic ? 'inline' : `attachment${name && !isPublic ? `; filename="${name}"` : ''}`;
  const headers = {
    'content-type': contentType === 'text/csv' ? 'text/csv; charset=utf-8' : contentType,
    'content-length': String(size),
    'content-disposition': disposition,
    'cache-control': isPublic ? 'public, max-age=31536000, immutable' : 'private, no-store',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'cross-origin',
  };
  return { status: 200, headers, body: createReadStream(path) };
}

function readablePath(directory: string, key: string): string | undefined {
  try {
    return pathOf(directory, key);
  } catch {
    return undefined;
  }
}
