import { setTimeout as delay } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import { unavailable } from '../base/errors.ts';
import type { FileWriter, KeepToken } from './uploads.ts';

export interface BucketCall {
  method: 'GET' | 'HEAD' | 'PUT' | 'POST' | 'DELETE';
  key: string;
  query?: string;
  headers?: Record<string, string>;
  body?: Buffer;
  /** Answers that are no failure besides 2xx. */
  allowed?: readonly number[];
}

export interface BucketAnswer {
  ok: boolean;
  status: number;
  header(name: string): string;
  /** Read, or dumped, by whoever asked. */
  body: Dispatcher.ResponseData['body'];
}

export type SendToBucket = (call: BucketCall) => Promise<BucketAnswer>;

/** A store takes parts of at least 5 MiB, but for the last, and at most 10,000 of them: 50 GB. One of them is in memory. */
const PART_BYTES = 5 * 1024 * 1024;
const ATTEMPTS = 4;
const FIRST_PAUSE_MS = 250;

/**
 * Writes an object as its bytes come, in parts. What fits into one part is one request, and never begins an upload that could be left over. Readers
 * see the object when all of it is there.
 */
export function openMultipart(
  send: SendToBucket,
  { key, contentType, keep }: { key: string; contentType: string; keep: KeepToken },
): FileWriter {
  const part = Buffer.allocUnsafe(PART_BYTES);
  const tags: string[] = [];
  let filled = 0;
  let size = 0;
  let uploadId: string | undefined;

  async function begin(): Promise<string> {
    const answer = await repeated(() => send({ method: 'POST', key, query: 'uploads', headers: { 'content-type': contentType } }));
    const id = /<UploadId>([^<]+)<\/UploadId>/.exec(await answer.body.text())?.[1];
    if (!id) throw unavailable('file store', new Error('it began no upload'));
    // Before its first part is there: what is left of a process that ends is found again.
    await keep(unescaped(id));
    return unescaped(id);
  }

  async function flush(): Promise<void> {
    uploadId ??= await begin();
    const query = `partNumber=${tags.length + 1}&uploadId=${encodeURIComponent(uploadId)}`;
    const answer = await repeated(() => send({ method: 'PUT', key, query, body: part.subarray(0, filled) }));
    await answer.body.dump();
    tags.push(answer.header('etag'));
    filled = 0;
  }

  async function complete(id: string): Promise<void> {
    const parts = tags.map((tag, index) => `<Part><PartNumber>${index + 1}</PartNumber><ETag>${escaped(tag)}</ETag></Part>`).join('');
    const body = Buffer.from(`<CompleteMultipartUpload>${parts}</CompleteMultipartUpload>`);
    const query = `uploadId=${encodeURIComponent(id)}`;
    await repeated(async () => {
      const answer = await send({ method: 'POST', key, query, body, allowed: [404] });
      const text = await answer.body.text();
      // A store answers 200 before it knows, and says in the body that it failed.
      if (answer.ok && !text.includes('<Error>')) return;
      if (answer.status === 404 && (await sizeOf(send, key)) === size) return;
      throw unavailable('file store', new Error('it did not put the parts together'));
    });
  }

  return {
    async write(chunk) {
      for (let from = 0; from < chunk.byteLength;) {
        const taken = Math.min(PART_BYTES - filled, chunk.byteLength - from);
        part.set(chunk.subarray(from, from + taken), filled);
        [filled, from, size] = [filled + taken, from + taken, size + taken];
        if (filled === PART_BYTES) await flush();
      }
    },
    async finish() {
      if (uploadId === undefined) {
        const answer = await repeated(() =>
          send({ method: 'PUT', key, headers: { 'content-type': contentType }, body: part.subarray(0, filled) }),
        );
        await answer.body.dump();
        return;
      }
      if (filled > 0) await flush();
      await complete(uploadId);
    },
    async abandon() {
      if (uploadId !== undefined) await abandonMultipart(send, key, uploadId);
    },
  };
}

/** Removes the parts of an upload that was not finished; of one that is gone already, too. */
export async function abandonMultipart(send: SendToBucket, key: string, uploadId: string): Promise<void> {
  const answer = await send({ method: 'DELETE', key, query: `uploadId=${encodeURIComponent(uploadId)}`, allowed: [404] });
  await answer.body.dump();
}

async function sizeOf(send: SendToBucket, key: string): Promise<number | undefined> {
  const answer = await send({ method: 'HEAD', key, allowed: [404] });
  await answer.body.dump();
  return answer.ok ? Number(answer.header('content-length')) : undefined;
}

/** Every call here may be repeated: a part replaces itself. */
async function repeated<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await delay(FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
    }
  }
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
const unescaped = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&quot;', '"').replaceAll('&amp;', '&');
