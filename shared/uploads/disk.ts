import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { link, mkdir, open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, extname, join, resolve } from 'node:path';
import { env } from '../base/env.ts';
import type { FileStore, UploadSettings } from './uploads.ts';
import { SNIFFED_BYTES, typeOfExtension } from './file-types.ts';

export interface DiskSettings {
  directory: string;
  /** Without a slash at its end. */
  baseUrl: string;
  secret: string;
}

/** The settings a folder needs, with the secret its addresses are signed by. */
export const diskSettings = ({ UPLOADS_DIR, UPLOADS_URL, UPLOADS_SECRET }: UploadSettings): DiskSettings => ({
  directory: UPLOADS_DIR,
  baseUrl: UPLOADS_URL.replace(/\/+$/, ''),
  secret: UPLOADS_SECRET ?? env.INTERNAL_SECRET,
});

const KEY = /^(?:public|private)(?:\/[\w-]+)+\.[a-z0-9]+$/;

/** What stands behind a key while its file grows. */
const PART = /^\.[0-9a-f]{12}\.part$/;

/** Keys are the only paths there are: no dot but the one before the ending, so none leads out of the folder. */
export function pathOf(directory: string, key: string): string {
  if (!KEY.test(key)) throw new TypeError('This is not the key of a file');
  return join(resolve(directory), key);
}

/** What one signature allows: one method on one key, with these facts, until then. */
export interface Grant {
  method: 'PUT' | 'GET';
  key: string;
  expiresAt: number;
  /** Type and size of what may be put, or the name it is saved under. */
  facts: string;
}

const sign = (secret: string, { method, key, expiresAt, facts }: Grant): string =>
  createHmac('sha256', secret).update(['uploads', method, key, expiresAt, facts].join('\n')).digest('base64url');

export function isSigned(secret: string, grant: Grant, signature: string): boolean {
  const expected = Buffer.from(sign(secret, grant));
  const given = Buffer.from(signature);
  return expected.length === given.length && timingSafeEqual(expected, given);
}

export const putFacts = (contentType: string, size: number): string => `${contentType} ${size}`;

/** Files in a folder of this machine, handed in and read through the routes of `uploadRoutes`. */
export function openDisk({ directory, baseUrl, secret }: DiskSettings): FileStore {
  const signedUrl = (grant: Grant, extra: Record<string, string>): string => {
    const query = new URLSearchParams({ ...extra, expires: String(grant.expiresAt), signature: sign(secret, grant) });
    return `${baseUrl}/${grant.key}?${query}`;
  };
  return {
    async ticket(key, { contentType, size, expiresAt }) {
      const grant: Grant = { method: 'PUT', key, expiresAt: expiresAt.getTime(), facts: putFacts(contentType, size) };
      return { url: signedUrl(grant, { size: String(size) }), headers: [{ name: 'content-type', value: contentType }] };
    },
    async head(key) {
      const path = pathOf(directory, key);
      const size = await sizeOf(path);
      const found = typeOfExtension(extname(path).slice(1));
      if (size === undefined || !found) return undefined;
      return { contentType: found[0], size, start: await startOf(path) };
    },
    async read(key) {
      const file = await absentAsUndefined(open(pathOf(directory, key)));
      if (!file) return undefined;
      // Of the same file, should another one take its name now.
      const { size } = await file.stat();
      return { body: file.createReadStream(), size };
    },
    async open(key, { keep }) {
      const path = pathOf(directory, key);
      const part = await partBeside(path);
      await keep(part.slice(path.length));
      const file = await open(part, 'wx');
      return {
        async write(chunk) {
          await file.writeFile(chunk);
        },
        async finish() {
          await file.sync();
          await file.close();
          await rename(part, path);
        },
        async abandon() {
          await file.close().catch(() => undefined);
          await rm(part, { force: true });
        },
      };
    },
    async abandon(key, token) {
      if (!PART.test(token)) throw new TypeError('This is not a part of a file');
      await rm(pathOf(directory, key) + token, { force: true });
    },
    async write(key, _contentType, body) {
      const path = pathOf(directory, key);
      const part = await partBeside(path);
      await writeFile(part, body, { flush: true });
      await rename(part, path);
    },
    publicUrl: (key) => `${baseUrl}/${key}`,
    async privateUrl(key, { expiresAt, fileName }) {
      return signedUrl({ method: 'GET', key, expiresAt: expiresAt.getTime(), facts: fileName }, { name: fileName });
    },
    remove: (key) => rm(pathOf(directory, key), { force: true }),
  };
}

/** Where a file grows until it is whole; readers see all of it or nothing. */
export async function partBeside(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  return `${path}.${randomBytes(6).toString('hex')}.part`;
}

/** Gives a finished part its name, unless a file has it already: then false. */
export async function publish(part: string, path: string): Promise<boolean> {
  try {
    await link(part, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await absentAsUndefined(stat(path));
  return found?.isFile() ? found.size : undefined;
}

async function startOf(path: string): Promise<Buffer> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(SNIFFED_BYTES), 0, SNIFFED_BYTES, 0);
  return buffer.subarray(0, bytesRead);
}

async function absentAsUndefined<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
