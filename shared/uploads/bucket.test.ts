import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openBucketServer, signatureOf, type Bucket } from '../testing/bucket-server.ts';
import { wholeFile } from '../testing/whole-file.ts';
import { createUploads, uploadSettings, type Uploads, type UploadTicket } from './uploads.ts';

const PNG = Buffer.concat([Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]), Buffer.alloc(2_000, 7)]);
const SVG = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>');

const put = ({ url, headers }: UploadTicket, body: Buffer, more: Record<string, string> = {}): Promise<Response> =>
  fetch(url, { method: 'PUT', headers: { ...sendable(headers), ...more }, body: new Uint8Array(body) });

/** fetch counts the bytes by itself and refuses to be told. */
const sendable = (headers: UploadTicket['headers']): Record<string, string> =>
  Object.fromEntries(headers.filter(({ name }) => name !== 'content-length').map(({ name, value }) => [name, value]));

const image = (body: Buffer = PNG) => ({
  folder: 'notes/nte_1',
  visibility: 'PUBLIC' as const,
  contentType: 'image/png',
  size: body.length,
});

describe('a bucket', () => {
  const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'a-secret-of-this-test' };
  let bucket: Bucket;
  let uploads: Uploads;

  beforeAll(async () => {
    bucket = await openBucketServer(keys.secretAccessKey);
    uploads = createUploads(
      uploadSettings.parse({
        S3_ENDPOINT: bucket.url,
        S3_BUCKET: 'files',
        S3_ACCESS_KEY_ID: keys.accessKeyId,
        S3_SECRET_ACCESS_KEY: keys.secretAccessKey,
        S3_REGION: 'af-south-1',
      }),
    );
  });
  afterAll(() => bucket.close());

  test('is judged by a verifier that reproduces the published example of the signature', () => {
    // The example of a presigned GET in the S3 documentation.
    const query = new URLSearchParams(
      'X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host',
    );
    const headers = { host: 'examplebucket.s3.amazonaws.com' };

    const signature = signatureOf(
      {
        method: 'GET',
        path: '/test.txt',
        query,
        headers,
        signedHeaders: ['host'],
        payload: 'UNSIGNED-PAYLOAD',
        date: '20130524T000000Z',
        scope: '20130524/us-east-1/s3/aws4_request',
      },
      'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    );

    expect(signature).toBe('aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404');
  });

  test('takes a file by a signed address and gives it back', async () => {
    const ticket = await uploads.prepare(image());

    expect(await uploads.inspect(ticket.key)).toEqual({ state: 'MISSING' });
    expect((await put(ticket, PNG)).status).toBe(200);
    expect(await uploads.inspect(ticket.key)).toEqual({
      state: 'STORED',
      file: { key: ticket.key, contentType: 'image/png', size: PNG.length },
    });
    expect(await wholeFile(uploads, ticket.key)).toEqual(PNG);
    expect(uploads.publicUrl(ticket.key)).toBe(`${bucket.url}/files/${ticket.key}`);
  });

  test.each<[string, number, (ticket: UploadTicket) => Promise<Response>]>([
    ['another type', 403, (ticket) => put(ticket, PNG, { 'content-type': 'text/html' })],
    ['another size', 403, (ticket) => put(ticket, PNG.subarray(0, 100))],
    ['another key', 403, (ticket) => put({ ...ticket, url: ticket.url.replace('upl_', 'upl_A') }, PNG)],
  ])('lets the store refuse %s', async (_case, status, send) => {
    const ticket = await uploads.prepare(image());

    expect((await send(ticket)).status).toBe(status);
  });

  test('lets the store refuse a second file at one address', async () => {
    const ticket = await uploads.prepare(image());
    await put(ticket, PNG);

    expect((await put(ticket, PNG)).status).toBe(412);
  });

  test('removes what is not what it says', async () => {
    const body = Buffer.concat([SVG, Buffer.alloc(200, 32)]);
    const ticket = await uploads.prepare(image(body));
    await put(ticket, body);

    expect(await uploads.inspect(ticket.key)).toMatchObject({ state: 'REFUSED' });
    expect(await uploads.inspect(ticket.key)).toEqual({ state: 'MISSING' });
  });

  test('keeps a file made here and signs the address that reads it', async () => {
    const { key } = await uploads.store({ folder: 'lists', visibility: 'PRIVATE', contentType: 'text/csv' }, 'lst_1', Buffer.from('a,b\n'));
    const url = await uploads.privateUrl(key, { expiresInSeconds: 60, fileName: 'list.csv' });

    const read = await fetch(url);
    expect([read.status, await read.text(), read.headers.get('content-disposition')]).toEqual([
      200,
      'a,b\n',
      'attachment; filename="list.csv"',
    ]);
    expect((await fetch(`${bucket.url}/files/${key}`)).status).toBe(403);
  });

  test('says that it cannot be reached when it is gone, and when it does not trust us', async () => {
    const elsewhere = (more: object): Uploads =>
      createUploads(
        uploadSettings.parse({
          S3_ENDPOINT: bucket.url,
          S3_BUCKET: 'files',
          S3_ACCESS_KEY_ID: 'x',
          S3_SECRET_ACCESS_KEY: 'wrong',
          ...more,
        }),
      );

    await expect(elsewhere({ S3_ENDPOINT: 'http://127.0.0.1:1' }).stream('public/x/y.png')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      retryable: true,
    });
    await expect(elsewhere({}).stream('public/x/y.png')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});
