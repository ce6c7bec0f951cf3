import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openFileServer, type FileServer } from '../testing/file-server.ts';
import { wholeFile } from '../testing/whole-file.ts';
import { uploadSettings, type Uploads, type UploadSettings, type UploadTicket } from './uploads.ts';

const PNG = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(2_000, 7)]);
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');

const put = ({ url, headers }: UploadTicket, body: Buffer, more: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: 'PUT', headers: { ...sendable(headers), ...more }, body: new Uint8Array(body) });

/** fetch counts the bytes by itself and refuses to be told. */
const sendable = (headers: UploadTicket['headers']): Record<string, string> =>
  Object.fromEntries(headers.filter(({ name }) => name !== 'content-length').map(({ name, value }) => [name, value]));

/** The sender does not learn when the other side has noticed something. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10_000; !(await isSo()); await new Promise((resolve) => setTimeout(resolve, 10)))
    if (Date.now() > end) throw new Error('It did not come to that.');
}

const image = (body: Buffer = PNG) => ({
  folder: 'notes/nte_1',
  visibility: 'PUBLIC' as const,
  contentType: 'image/png',
  size: body.length,
});

describe('settings', () => {
  test('keep files in a folder by default', () => {
    expect(uploadSettings.parse({})).toMatchObject({ UPLOADS_DIR: '.data/uploads' });
  });

  test('ask for the rest when a bucket is named', () => {
    const { error } = uploadSettings.safeParse({ S3_BUCKET: 'notes' });

    expect(error?.issues.map(({ path }) => path[0])).toEqual(['S3_ENDPOINT', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']);
  });
});

describe('a folder', () => {
  let directory: string;
  let files: FileServer;
  let settings: UploadSettings;
  let uploads: Uploads;
  let offset = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'uploads-'));
    files = await openFileServer({ UPLOADS_DIR: directory }, { now: () => new Date(Date.now() + offset) });
    ({ settings, uploads } = files);
  });
  afterAll(async () => {
    await files.close();
    await rm(directory, { recursive: true, force: true });
  });

  test('takes a file by its signed address and gives it to anybody', async () => {
    const ticket = await uploads.prepare(image());

    expect(await uploads.inspect(ticket.key)).toEqual({ state: 'MISSING' });
    expect((await put(ticket, PNG)).status).toBe(201);
    expect(await uploads.inspect(ticket.key)).toEqual({
      state: 'STORED',
      file: { key: ticket.key, contentType: 'image/png', size: PNG.length },
    });

    const read = await fetch(uploads.publicUrl(ticket.key));
    expect(read.status).toBe(200);
    expect(Buffer.from(await read.arrayBuffer()).equals(PNG)).toBe(true);
    expect(Object.fromEntries(read.headers)).toMatchObject({
      'content-type': 'image/png',
      'content-length': String(PNG.length),
      'x-content-type-options': 'nosniff',
      'content-security-policy': "default-src 'none'; sandbox",
      'cache-control': 'public, max-age=31536000, immutable',
    });
    expect(await wholeFile(uploads, ticket.key)).toEqual(PNG);
  });

  test('takes a file once: what was looked at cannot be exchanged', async () => {
    const ticket = await uploads.prepare(image());
    await put(ticket, PNG);

    const other = Buffer.concat([PNG.subarray(0, 8), Buffer.alloc(PNG.length - 8, 9)]);

    expect((await put(ticket, other)).status).toBe(409);
    expect(await wholeFile(uploads, ticket.key)).toEqual(PNG);
  });

  test('lets one of two senders win', async () => {
    const ticket = await uploads.prepare(image());

    const statuses = (await Promise.all([put(ticket, PNG), put(ticket, PNG), put(ticket, PNG)]))
      .map(({ status }) => status)
      .sort((a, b) => a - b);

    expect(statuses).toEqual([201, 409, 409]);
  });

  test('takes one file at a time by an address, keeps nothing of one that is broken off, and takes the next', async () => {
    const ticket = await uploads.prepare(image());
    const partsOf = async () => (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.part'));
    const brokenOff = new AbortController();
    const slow = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(PNG.subarray(0, 1_000))) });
    const first = fetch(ticket.url, {
      method: 'PUT',
      headers: sendable(ticket.headers),
      body: slow,
      duplex: 'half',
      signal: brokenOff.signal,
    } as RequestInit).catch(() => 'broken off');
    await until(async () => (await partsOf()).length === 1);

    const others = await Promise.all(Array.from({ length: 40 }, () => put(ticket, PNG)));
    const parts = await partsOf();
    brokenOff.abort();

    expect(others.map(({ status }) => status)).toEqual(Array.from({ length: 40 }, () => 409));
    expect(await others[0]!.json()).toEqual({ error: 'A file is being handed in here already.' });
    expect(parts).toHaveLength(1);
    expect(await first).toBe('broken off');
    await until(async () => (await partsOf()).length === 0);
    await until(async () => (await put(ticket, PNG)).status === 201);
    expect(await partsOf()).toEqual([]);
  });

  test.each<[string, number, (ticket: UploadTicket) => Promise<Response>]>([
    ['a changed key', 403, (ticket) => put({ ...ticket, url: ticket.url.replace('upl_', 'upl_A') }, PNG)],
    ['a way out of the folder', 403, (ticket) => put({ ...ticket, url: ticket.url.replace('public/', 'public/..%2f..%2f') }, PNG)],
    ['a changed size', 403, (ticket) => put({ ...ticket, url: ticket.url.replace(/size=\d+/, 'size=9') }, PNG.subarray(0, 9))],
    ['a later end', 403, (ticket) => put({ ...ticket, url: ticket.url.replace(/expires=\d+/, 'expires=9999999999999') }, PNG)],
    ['no signature', 403, (ticket) => put({ ...ticket, url: ticket.url.replace(/signature=[^&]+/, '') }, PNG)],
    ['another type', 403, (ticket) => put(ticket, PNG, { 'content-type': 'image/svg+xml' })],
    ['fewer bytes', 413, (ticket) => put(ticket, PNG.subarray(0, 100))],
    ['more bytes', 413, (ticket) => put(ticket, Buffer.concat([PNG, PNG]))],
    ['markup that says it is a picture', 415, (ticket) => put(ticket, Buffer.concat([SVG, Buffer.alloc(PNG.length - SVG.length, 32)]))],
  ])('refuses %s and keeps nothing of it', async (_case, status, send) => {
    const ticket = await uploads.prepare(image());
    const before = await readdir(directory, { recursive: true });

    expect((await send(ticket)).status).toBe(status);

    expect(await uploads.inspect(ticket.key)).toEqual({ state: 'MISSING' });
    expect((await readdir(directory, { recursive: true })).filter((name) => !before.includes(name) && name.includes('.'))).toEqual([]);
  });

  test('refuses more bytes than announced when their number is not told', async () => {
    const ticket = await uploads.prepare(image());
    let left = 1_000;
    // Much more than announced, yet not without end: a fault must not fill the disk of whoever runs this.
    const tooMuch = new ReadableStream({
      pull: (controller) => (left-- > 0 ? controller.enqueue(new Uint8Array(PNG)) : controller.close()),
    });

    const answer = await fetch(ticket.url, {
      method: 'PUT',
      headers: { 'content-type': 'image/png' },
      body: tooMuch,
      duplex: 'half',
    } as RequestInit).then(
      ({ status }) => status,
      () => 'cut off',
    );

    // Whether the answer still gets through depends on how fast the sender notices.
    expect([413, 'cut off']).toContain(answer);
    expect(await uploads.inspect(ticket.key)).toEqual({ state: 'MISSING' });
  });

  test('refuses an address that is too old', async () => {
    const ticket = await uploads.prepare(image());

    offset = 16 * 60_000;
    const { status } = await put(ticket, PNG);
    offset = 0;

    expect(status).toBe(403);
  });

  test('gives a private file only by a signed address, and only for some minutes', async () => {
    const csv = Buffer.from('a,b\n1,2\n');
    const { key } = await uploads.store({ folder: 'lists', visibility: 'PRIVATE', contentType: 'text/csv' }, 'lst_1', csv);
    const url = await uploads.privateUrl(key, { expiresInSeconds: 60, fileName: 'my list.csv' });

    const read = await fetch(url);
    expect(await read.text()).toBe('a,b\n1,2\n');
    expect(read.headers.get('content-disposition')).toBe('attachment; filename="my-list.csv"');
    expect(read.headers.get('cache-control')).toBe('private, no-store');

    expect((await fetch(uploads.publicUrl(key))).status).toBe(404);
    expect((await fetch(url.replace('my-list', 'other'))).status).toBe(404);
    offset = 61_000;
    const { status } = await fetch(url);
    offset = 0;
    expect(status).toBe(404);
  });

  test('replaces a file made here under the same name', async () => {
    const file = { folder: 'lists', visibility: 'PRIVATE' as const, contentType: 'text/csv' };
    const { key } = await uploads.store(file, 'lst_2', Buffer.from('one'));
    await uploads.store(file, 'lst_2', Buffer.from('two'));

    expect(String(await wholeFile(uploads, key))).toBe('two');
  });

  test.each([
    'public/%2e%2e/%2e%2e/etc/passwd',
    'public/notes/none.png',
    'public/',
    'elsewhere/x.png',
    'public/notes/x.svg',
    'public/%00.png',
  ])('knows no file %s', async (path) => {
    expect((await fetch(`${settings.UPLOADS_URL}/${path}`)).status).toBe(404);
  });

  test('removes what is not what it says, even if it came another way', async () => {
    const { key } = await uploads.prepare(image());
    await uploads.store({ ...image(), folder: 'notes/nte_1' }, 'kept', PNG);
    await writeFile(join(directory, key), SVG);

    expect(await uploads.inspect(key)).toEqual({ state: 'REFUSED', reason: expect.any(String) });
    expect(await wholeFile(uploads, key)).toBeUndefined();
  });

  test.each([
    ['text/html', 'public/notes'],
    ['image/svg+xml', 'public/notes'],
    ['image/png', '../notes'],
    ['image/png', 'notes/'],
  ])('prepares no place for %s in %s', async (contentType, folder) => {
    await expect(uploads.prepare({ ...image(), contentType, folder })).rejects.toThrow(TypeError);
  });

  test.each([
    ['image/jpeg', Buffer.from([0xff, 0xd8, 0xff, 0xe0])],
    ['image/gif', Buffer.from('GIF89a')],
    ['image/webp', Buffer.from('RIFF1234WEBPVP8 ')],
    ['image/avif', Buffer.from('\0\0\0\x20ftypavif')],
    ['video/mp4', Buffer.from('\0\0\0\x20ftypisom')],
    ['application/pdf', Buffer.from('%PDF-1.7')],
    ['text/csv', Buffer.from('\uFEFFname,size\nMaïs,12\n')],
  ])('knows %s by its first bytes and nothing else as such', async (contentType, body) => {
    const ticket = await uploads.prepare({ ...image(body), contentType });
    const wrong = await uploads.prepare({ ...image(SVG), contentType });

    expect((await put(ticket, body)).status).toBe(201);
    expect((await put(wrong, SVG)).status).toBe(415);
  });
});
