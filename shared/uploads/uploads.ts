import type { Readable } from 'node:stream';
import { z } from 'zod';
import { newId } from '../base/ids.ts';
import { diskSettings, openDisk } from './disk.ts';
import { FILE_TYPES, typeOfExtension, type FileType } from './file-types.ts';
import { openBucket } from './bucket.ts';
import { noFile, serveFile, type FileRequest, type FileResponse } from './serve.ts';

/** What of the environment says where files are kept: in a folder, or in a bucket of any store that speaks the S3 API when one is named. */
export const uploadSettings = z
  .object({
    UPLOADS_DIR: z.string().min(1).default('.data/uploads'),
    /** Where clients reach the routes of files: those of the gateway are at /uploads. */
    UPLOADS_URL: z
      .url()
      .regex(/\/uploads\/?$/, 'must end in /uploads, where the gateway serves files')
      .default('http://127.0.0.1:4000/uploads'),
    /** Signs the addresses of files in a folder; the internal secret when left out. */
    UPLOADS_SECRET: z.string().min(32, 'must have at least 32 characters').optional(),
    S3_ENDPOINT: z.url().optional(),
    S3_BUCKET: z.string().min(3).optional(),
    S3_REGION: z.string().min(1).default('us-east-1'),
    S3_ACCESS_KEY_ID: z.string().min(1).optional(),
    S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
    /** Where public files are read, a CDN for example; the bucket itself when left out. */
    S3_PUBLIC_URL: z.url().optional(),
  })
  .superRefine((values, ctx) => {
    if (!values.S3_BUCKET) return;
    for (const name of ['S3_ENDPOINT', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'] as const) {
      if (!values[name]) ctx.addIssue({ code: 'custom', path: [name], message: 'must be set when S3_BUCKET is' });
    }
  });

export type UploadSettings = z.output<typeof uploadSettings>;

/** PUBLIC files are read by anybody who has the address; PRIVATE ones by an address that is signed for some minutes. */
export type Visibility = 'PUBLIC' | 'PRIVATE';

export interface NewFile {
  /** One or more words of a-z, 0-9, dash and underscore, parted by slashes: who it belongs to and what for. */
  folder: string;
  visibility: Visibility;
  contentType: string;
  /** Exact number of bytes. */
  size: number;
}

/** What a client needs to hand in one file: PUT the bytes to `url` with these headers, before `expiresAt`, once. */
export interface UploadTicket {
  key: string;
  url: string;
  method: 'PUT';
  headers: { name: string; value: string }[];
  expiresAt: Date;
}

export interface StoredFile {
  key: string;
  contentType: string;
  size: number;
}

/** MISSING: nothing was handed in yet. REFUSED: what lies there is not what it was announced to be, and was removed. */
export type Inspected = { state: 'STORED'; file: StoredFile } | { state: 'MISSING' } | { state: 'REFUSED'; reason: string };

/** Files that clients hand in and read, whoever keeps them. Keys are made here and never guessed from a name somebody chose. */
export interface Uploads {
  prepare(file: NewFile): Promise<UploadTicket>;
  /** Looks at what was handed in: type, size and first bytes. */
  inspect(key: string): Promise<Inspected>;
  /** The bytes of a file as they come, so that nobody holds all of it; undefined when there is none. */
  stream(key: string): Promise<AsyncIterable<Uint8Array> | undefined>;
  /** The same with its size and content type. */
  read(key: string): Promise<ReadFile | undefined>;
  /** The key of a file made here. */
  keyFor(file: Omit<NewFile, 'size'>, name: string): string;
  /** Begins a file made here, under a key of `keyFor`. It replaces what the key held once it is finished, and is never seen in part. */
  open(key: string, contentType: string, keep: KeepToken): Promise<FileWriter>;
  /** Removes what is left of a file that a process began and did not finish, by the token that it was told. */
  abandon(key: string, token: string): Promise<void>;
  /** Keeps a small file made here, of which all bytes are there. The same `name` replaces what it held, so that a repeated job leaves one file. */
  store(file: Omit<NewFile, 'size'>, name: string, body: Buffer): Promise<StoredFile>;
  publicUrl(key: string): string;
  /** An address that reads a private file for some minutes and saves it under `fileName`. */
  privateUrl(key: string, options: { expiresInSeconds: number; fileName: string }): Promise<string>;
  remove(key: string): Promise<void>;
  /** Takes and gives files of a folder over HTTP, for the routes of `uploadRoutes`; a bucket does so itself. */
  serve(request: FileRequest): Promise<FileResponse>;
}

export interface ReadFile {
  body: Readable;
  contentType: string;
  size: number;
}

/** Told what to `abandon` should this process end now; the writer goes on when it is kept. */
export type KeepToken = (token: string) => Promise<void>;

/** Takes the bytes of one file one after the other. */
export interface FileWriter {
  write(chunk: Uint8Array): Promise<void>;
  finish(): Promise<void>;
  abandon(): Promise<void>;
}

/** What an adapter keeps; everything else is the same for all of them. */
export interface FileStore {
  ticket(
    key: string,
    file: { contentType: string; size: number; expiresAt: Date; now: Date },
  ): Promise<Pick<UploadTicket, 'url' | 'headers'>>;
  /** Content type and size, and the first bytes for sniffing. */
  head(key: string): Promise<{ contentType: string; size: number; start: Buffer } | undefined>;
  read(key: string): Promise<Omit<ReadFile, 'contentType'> | undefined>;
  open(key: string, options: { contentType: string; keep: KeepToken }): Promise<FileWriter>;
  abandon(key: string, token: string): Promise<void>;
  write(key: string, contentType: string, body: Buffer): Promise<void>;
  publicUrl(key: string): string;
  privateUrl(key: string, options: { expiresAt: Date; now: Date; fileName: string }): Promise<string>;
  remove(key: string): Promise<void>;
}

export interface UploadsOptions {
  now?: () => Date;
}

const TICKET_MS = 15 * 60_000;

/** Opens the adapter the settings name. Nothing is created or connected before the first file. */
export function createUploads(settings: UploadSettings, { now = () => new Date() }: UploadsOptions = {}): Uploads {
  const disk = settings.S3_BUCKET ? undefined : diskSettings(settings);
  const store = disk ? openDisk(disk) : openBucket(settings);
  return {
    async prepare({ folder, visibility, contentType, size }) {
      const type = typeOf(contentType);
      if (type.isMadeHere) throw new TypeError(`${contentType} is not a type of file that may be handed in`);
      if (!Number.isSafeInteger(size) || size < 1) throw new TypeError('A file has a whole number of bytes, at least one');
      const key = keyOf(visibility, folder, newId('upl'), type);
      const at = now();
      const expiresAt = new Date(at.getTime() + TICKET_MS);
      return { key, method: 'PUT', expiresAt, ...(await store.ticket(key, { contentType, size, expiresAt, now: at })) };
    },
    async inspect(key) {
      const found = await store.head(key);
      if (!found) return { state: 'MISSING' };
      const { contentType, size, start } = found;
      const type = FILE_TYPES.get(contentType);
      if (type && key.endsWith(`.${type.extension}`) && type.fits(start)) return { state: 'STORED', file: { key, contentType, size } };
      await store.remove(key);
      return { state: 'REFUSED', reason: 'The content is not of the type it was announced as.' };
    },
    stream: async (key) => (await store.read(key))?.body,
    async read(key) {
      const found = await store.read(key);
      const type = typeOfExtension(key.slice(key.lastIndexOf('.') + 1));
      return found && { ...found, contentType: type?.[0] ?? 'application/octet-stream' };
    },
    keyFor: ({ folder, visibility, contentType }, name) => keyOf(visibility, folder, name, typeOf(contentType)),
    open: (key, contentType, keep) => store.open(key, { contentType, keep }),
    abandon: (key, token) => store.abandon(key, token),
    async store({ folder, visibility, contentType }, name, body) {
      const key = keyOf(visibility, folder, name, typeOf(contentType));
      await store.write(key, contentType, body);
      return { key, contentType, size: body.byteLength };
    },
    publicUrl: (key) => store.publicUrl(key),
    privateUrl(key, { expiresInSeconds, fileName }) {
      const at = now();
      return store.privateUrl(key, {
        expiresAt: new Date(at.getTime() + expiresInSeconds * 1_000),
        now: at,
        fileName: plainName(fileName),
      });
    },
    remove: (key) => store.remove(key),
    serve: async (request) => (disk ? serveFile(request, disk, now()) : noFile()),
  };
}

function typeOf(contentType: string): FileType {
  const type = FILE_TYPES.get(contentType);
  if (!type) throw new TypeError(`${contentType} is not a type of file that is kept here`);
  return type;
}

const FOLDER = /^[\w-]+(?:\/[\w-]+)*$/;

function keyOf(visibility: Visibility, folder: string, name: string, type: FileType): string {
  if (!FOLDER.test(folder) || !FOLDER.test(name)) throw new TypeError(`"${folder}/${name}" cannot be a place for a file`);
  return `${visibility.toLowerCase()}/${folder}/${name}.${type.extension}`;
}

/** Only what every header and file system takes. */
const plainName = (name: string): string => name.replaceAll(/[^\w.-]+/g, '-').slice(0, 100) || 'file';
