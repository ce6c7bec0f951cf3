import { createHash } from 'node:crypto';
import { AwsV4Signer } from 'aws4fetch';
import { request } from 'undici';
import { unavailable } from '../base/errors.ts';
import { abandonMultipart, openMultipart, type BucketAnswer, type BucketCall } from './multipart.ts';
import type { FileStore, UploadSettings } from './uploads.ts';
import { SNIFFED_BYTES } from './file-types.ts';

const TIMEOUT_MS = 10_000;
/** Enough for a file of a few hundred megabytes made here. */
const WRITE_TIMEOUT_MS = 60_000;

/** Files in a bucket, by the S3 API. Clients put and get them there directly, by addresses this process signs (SigV4). */
export function openBucket(settings: UploadSettings): FileStore {
  const { S3_ENDPOINT, S3_BUCKET, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_PUBLIC_URL } = settings;
  const base = `${S3_ENDPOINT!.replace(/\/+$/, '')}/${S3_BUCKET!}`;
  const credentials = { accessKeyId: S3_ACCESS_KEY_ID!, secretAccessKey: S3_SECRET_ACCESS_KEY!, service: 's3', region: S3_REGION };

  async function presigned(
    method: 'GET' | 'PUT',
    key: string,
    given: { headers?: Record<string, string>; query?: Record<string, string>; expiresAt: Date; now: Date },
  ) {
    const url = new URL(`${base}/${key}`);
    const seconds = Math.ceil((given.expiresAt.getTime() - given.now.getTime()) / 1_000);
    for (const [name, value] of Object.entries({ ...given.query, 'X-Amz-Expires': String(seconds) })) url.searchParams.set(name, value);
    const datetime = given.now.toISOString().replaceAll(/[:-]|\.\d{3}/g, '');
    // With all headers signed, the store itself refuses another type and another size than were announced.
    const signer = new AwsV4Signer({
      ...credentials,
      method,
      url: url.href,
      headers: given.headers ?? {},
      datetime,
      signQuery: true,
      allHeaders: true,
    });
    return (await signer.sign()).url.href;
  }

  async function send({ method, key, query, headers = {}, body, allowed = [404] }: BucketCall): Promise<BucketAnswer> {
    const hash = createHash('sha256')
      .update(body ?? '')
      .digest('hex');
    const url = `${base}/${key}${query ? `?${query}` : ''}`;
    const signer = new AwsV4Signer({ ...credentials, method, url, headers: { ...headers, 'x-amz-content-sha256': hash } });
    const signed = await signer.sign();
    // Ends with the head of the answer: a large file may be read for minutes.
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), body ? WRITE_TIMEOUT_MS : TIMEOUT_MS);
    // Sends the bytes where they are: `fetch` would copy each part of a file.
    const answer = await request(signed.url, {
      method,
      headers: Object.fromEntries(signed.headers),
      ...(body && { body }),
      signal: patience.signal,
    })
      .catch((error: unknown) => {
        throw unavailable('file store', error);
      })
      .finally(() => clearTimeout(timer));
    const { statusCode: status } = answer;
    const ok = status >= 200 && status < 300;
    if (!ok && !allowed.includes(status)) {
      await answer.body.dump();
      throw unavailable('file store', new Error(`${method} was answered with ${status}`));
    }
    return { ok, status, header: (name) => String(answer.headers[name] ?? ''), body: answer.body };
  }

  return {
    async ticket(key, { contentType, size, expiresAt, now }) {
      // The last one lets nobody replace a file that was looked at already, as long as the address is good.
      const headers = { 'content-type': contentType, 'content-length': String(size), 'if-none-match': '*' };
      const url = await presigned('PUT', key, { headers, expiresAt, now });
      return { url, headers: Object.entries(headers).map(([name, value]) => ({ name, value })) };
    },
    async head(key) {
      const answer = await send({ method: 'HEAD', key });
      await answer.body.dump();
      if (answer.status === 404) return undefined;
      const size = Number(answer.header('content-length'));
      const contentType = answer.header('content-type');
      const start = size > 0 ? await send({ method: 'GET', key, headers: { range: `bytes=0-${SNIFFED_BYTES - 1}` } }) : undefined;
      return { contentType, size, start: start ? Buffer.from(await start.body.arrayBuffer()).subarray(0, SNIFFED_BYTES) : Buffer.alloc(0) };
    },
    async read(key) {
      const { status, body, header } = await send({ method: 'GET', key });
      // undici reports a reader that stops early as an error of the stream, which nobody may be listening to any more.
      body.on('error', () => undefined);
      if (status !== 404) return { body, size: Number(header('content-length')) };
      await body.dump();
      return undefined;
    },
    open: async (key, { contentType, keep }) => openMultipart(send, { key, contentType, keep }),
    abandon: (key, token) => abandonMultipart(send, key, token),
    async write(key, contentType, body) {
      const answer = await send({ method: 'PUT', key, headers: { 'content-type': contentType }, body });
      await answer.body.dump();
    },
    publicUrl: (key) => `${S3_PUBLIC_URL?.replace(/\/+$/, '') ?? base}/${key}`,
    privateUrl: (key, { expiresAt, now, fileName }) =>
      presigned('GET', key, { query: { 'response-content-disposition': `attachment; filename="${fileName}"` }, expiresAt, now }),
    async remove(key) {
      const answer = await send({ method: 'DELETE', key });
      await answer.body.dump();
    },
  };
}
