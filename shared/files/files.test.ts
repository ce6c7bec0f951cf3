import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import { openBucketServer, type Bucket } from '../testing/bucket-server.ts';
import { removeOldFiles } from '../kit/file-retention.ts';
import { subgraph as boards } from '../testing/fixture-subgraph/subgraph.ts';
import { open } from '../testing/open.ts';
import { connectMongo } from '../store/mongo.ts';
import { createUploads, uploadSettings } from '../uploads/uploads.ts';
import { createFileIndexes, createFiles, type Files } from './files.ts';

const MB = 1024 * 1024;
const SECRET = 'a-secret-of-this-test';
const target = { folder: 'lists', name: 'lst_1', visibility: 'PRIVATE' as const };

async function* pieces(count: number, size = MB): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) yield Buffer.alloc(size, 97 + (index % 26));
}
const csv = (body: AsyncIterable<Uint8Array> | string) => ({
  contentType: 'text/csv',
  body: typeof body === 'string' ? pieces1(body) : body,
});
async function* pieces1(text: string): AsyncGenerator<Uint8Array> {
  for (const character of text) yield Buffer.from(character);
}
async function whole(files: Files, key: string): Promise<Buffer | undefined> {
  const found = await files.read(key);
  if (!found) return undefined;
  const chunks: Buffer[] = [];
  for await (const chunk of found.body) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

let client: Connection;
let bucket: Bucket;
beforeAll(async () => {
  client = await connectMongo(process.env['MONGODB_URI']!);
  bucket = await openBucketServer(SECRET);
});
afterAll(async () => {
  await bucket.close();
  await client.getClient().close();
});

describe.each(['folder', 'bucket'] as const)('files in a %s', (kind) => {
  let db: Connection;
  let environment: Record<string, string>;
  let directory: string;
  let files: Files;
  let offset = 0;
  const now = () => new Date(Date.now() + offset);
  const filesWith = (options: object = {}) =>
    createFiles({ db, uploads: createUploads(uploadSettings.parse(environment), { now }), now, ...options });
  /** What lies in the store that no reader sees. */
  const leftovers = (): number =>
    kind === 'bucket'
      ? bucket.uploads.size
      : (readdirSync(directory, { recursive: true }) as string[]).filter((name) => name.endsWith('.part')).length;

  beforeEach(async () => {
    offset = 0;
    db = client.useDb(newId('fil').toLowerCase(), { useCache: false });
    await createFileIndexes(db);
    directory = mkdtempSync(join(tmpdir(), 'files-'));
    const keys = { S3_ACCESS_KEY_ID: 'AKIDEXAMPLE', S3_SECRET_ACCESS_KEY: SECRET };
    environment = kind === 'bucket' ? { S3_ENDPOINT: bucket.url, S3_BUCKET: db.name, ...keys } : { UPLOADS_DIR: directory };
    files = filesWith();
  });
  afterEach(async () => {
    await db.dropDatabase();
    rmSync(directory, { recursive: true, force: true });
  });

  test('a file of any size is written as it comes and read whole, with its type and size', async () => {
    for (const [name, count] of [
      ['empty', 0],
      ['small', 1],
      ['exact', 8],
      ['large', 21],
    ] as const) {
      const written = await files.write({ ...target, name }, csv(pieces(count)));
      const read = await files.read(written.key);

      expect(written).toEqual({ key: `private/lists/${name}.csv`, contentType: 'text/csv', size: count * MB, deleteAt: null });
      expect(read).toMatchObject({ contentType: 'text/csv', size: count * MB });
      read!.body.destroy();
      const expected = Buffer.concat(Array.from({ length: count }, (_, index) => Buffer.alloc(MB, 97 + (index % 26))));
      expect(expected.equals((await whole(files, written.key))!)).toBe(true);
    }
    expect(leftovers()).toBe(0);
    expect(await db.collection('fileWrites').countDocuments()).toBe(0);
  });

  test('a source that fails, or is cancelled, leaves what was there before and nothing else', async () => {
    const { key } = await files.write(target, csv('before'));
    const { signal, abort } = ((controller: AbortController) => ({
      signal: controller.signal,
      abort: () => controller.abort(new Error('cancelled')),
    }))(new AbortController());
    async function* failing(fail: () => void): AsyncGenerator<Uint8Array> {
      yield* pieces(12);
      fail();
      yield* pieces(1);
    }
    const broken = failing(() => {
      throw new Error('the rows broke off');
    });

    await expect(files.write(target, csv(broken))).rejects.toThrow('the rows broke off');
    await expect(files.write(target, csv(failing(abort)), { signal })).rejects.toThrow('cancelled');

    expect(String(await whole(files, key))).toBe('before');
    expect(leftovers()).toBe(0);
    expect(await db.collection('fileWrites').countDocuments()).toBe(0);
  });

  test('nobody sees part of a file, and the same name replaces what it held', async () => {
    const { key } = await files.write(target, csv('before'));
    const seen: string[] = [];
    async function* watched(): AsyncGenerator<Uint8Array> {
      yield* pieces(10);
      seen.push(String(await whole(files, key)));
    }

    await files.write(target, csv(watched()));

    expect(seen).toEqual(['before']);
    expect((await whole(files, key))!.length).toBe(10 * MB);
  });

  test('what a killed process left is removed, and what a living one writes is not', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../testing/file-process.ts'), db.name], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    expect(leftovers()).toBe(1);
    expect(await files.removeOld()).toBe(0);
    expect(leftovers()).toBe(1);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await files.read('private/lists/lst_1.csv')).toBeUndefined();

    expect(await filesWith({ deadAfterMs: 0 }).removeOld()).toBe(1);

    expect(leftovers()).toBe(0);
    expect(await db.collection('fileWrites').countDocuments()).toBe(0);
    expect(await files.read('private/lists/lst_1.csv')).toBeUndefined();
  });

  test('a file cannot be read after its days, and is removed then; one without an end stays', async () => {
    const ending = await files.write({ ...target, deleteAfterDays: 30 }, csv('ending'));
    const renewed = await files.write({ ...target, name: 'renewed', deleteAfterDays: 30 }, csv('first'));
    const staying = await files.write({ ...target, name: 'staying' }, csv('staying'));
    const day = 24 * 3_600_000;
    offset = 29 * day;
    await files.write({ ...target, name: 'renewed', deleteAfterDays: 30 }, csv('second'));
    expect(await files.removeOld()).toBe(0);
    expect(String(await whole(files, ending.key))).toBe('ending');

    offset = 30 * day + 1_000;

    expect(await files.read(ending.key)).toBeUndefined();
    expect(await files.removeOld()).toBe(1);
    expect(await createUploads(uploadSettings.parse(environment)).read(ending.key)).toBeUndefined();
    expect([String(await whole(files, renewed.key)), String(await whole(files, staying.key))]).toEqual(['second', 'staying']);
    expect(await db.collection('files').countDocuments()).toBe(2);
  });

  test('a removed file is gone, and removing it again is no fault', async () => {
    const { key } = await files.write(target, csv('a'));
    await files.remove(key);
    await files.remove(key);

    expect(await files.read(key)).toBeUndefined();
    expect(await db.collection('files').countDocuments()).toBe(0);
  });

  test.each([
    [{ folder: '../etc' }, 'text/csv'],
    [{ name: 'a/../b' }, 'text/csv'],
    [{}, 'text/html'],
  ])('no file is written to %j as %s', async (change, contentType) => {
    await expect(files.write({ ...target, ...change }, { ...csv('a'), contentType })).rejects.toThrow(TypeError);
    expect(await db.collection('fileWrites').countDocuments()).toBe(0);
  });
});

describe('a bucket that fails', () => {
  let db: Connection;
  let files: Files;
  beforeEach(() => {
    db = client.useDb(newId('fil').toLowerCase(), { useCache: false });
    const keys = { S3_ACCESS_KEY_ID: 'AKIDEXAMPLE', S3_SECRET_ACCESS_KEY: SECRET };
    const settings = uploadSettings.parse({ S3_ENDPOINT: bucket.url, S3_BUCKET: db.name, ...keys });
    files = createFiles({ db, uploads: createUploads(settings), now: () => new Date() });
  });
  afterEach(() => db.dropDatabase());

  test.each([
    ['refuses to begin', 'POST', 'uploads', 'BEFORE'],
    ['loses a part', 'PUT', 'partNumber', 'BEFORE'],
    ['loses the answer to a part', 'PUT', 'partNumber', 'AFTER'],
    ['loses the last request', 'POST', 'uploadId', 'BEFORE'],
    ['loses the answer to the last request', 'POST', 'uploadId', 'AFTER'],
    ['says in the body of a 200 that it failed', 'POST', 'uploadId', 'ERROR_IN_BODY'],
  ] as const)('that %s still gets the whole file', async (_case, method, param, fault) => {
    bucket.fail((request) => request.method === method && request.url.searchParams.has(param), fault);

    const { key, size } = await files.write(target, csv(pieces(20)));

    expect((await whole(files, key))!.length).toBe(size);
    expect(bucket.uploads.size).toBe(0);
  });

  test('that stays away fails the file with UNAVAILABLE, and its parts are removed once it is back', async () => {
    bucket.fail(({ method, url }) => method === 'PUT' && url.searchParams.get('partNumber') === '2', 'BEFORE', 4);
    bucket.fail(({ method }) => method === 'DELETE', 'BEFORE', 1);

    await expect(files.write(target, csv(pieces(20)))).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    expect(bucket.uploads.size).toBe(1);
    const settings = { S3_ENDPOINT: bucket.url, S3_BUCKET: db.name, S3_ACCESS_KEY_ID: 'AKIDEXAMPLE', S3_SECRET_ACCESS_KEY: SECRET };
    const later = createFiles({ db, uploads: createUploads(uploadSettings.parse(settings)), now: () => new Date(), deadAfterMs: 0 });

    expect(await later.removeOld()).toBe(1);
    expect(bucket.uploads.size).toBe(0);
  });

  test('gets a file of 150 MB from a process that needs no more than 60 MB for it', async () => {
    const environment = { S3_ENDPOINT: bucket.url, S3_BUCKET: db.name, S3_ACCESS_KEY_ID: 'AKIDEXAMPLE', S3_SECRET_ACCESS_KEY: SECRET };
    const child = spawn(process.execPath, ['--expose-gc', join(import.meta.dirname, '../testing/file-process.ts'), db.name, '150'], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [said] = (await once(child.stdout, 'data')) as [Buffer];
    await once(child, 'exit');

    expect(bucket.objects.get(`/${db.name}/private/lists/lst_1.csv`)?.body.length).toBe(150 * MB);
    expect(Number(/extraMb (\d+)/.exec(String(said))![1])).toBeLessThan(60);
  });
});

test('a subgraph with files: true writes them in its actions, and removes old ones each hour', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'files-'));
  const handlers = [...boards.handlers, removeOldFiles()];
  await using app = await open({ ...boards, files: true, handlers }, { environment: { UPLOADS_DIR: directory } });
  const { key } = await app.context().files.write({ ...target, deleteAfterDays: 1 }, csv('a'));
  expect((await app.context().files.read(key))?.size).toBe(1);

  app.clock.advance(25 * 3_600_000);
  await app.runJob('remove-old-files');

  expect(readdirSync(directory, { recursive: true })).not.toContain(key);
  await using other = await open(boards);
  expect(() => other.context().files).toThrow('boards has no files: add files: true to its manifest');
  rmSync(directory, { recursive: true, force: true });
});
