import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Signed {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  signedHeaders: string[];
  payload: string;
  date: string;
  scope: string;
}

/** Signature version 4 as its documentation describes it, written apart from the library under test. */
export function signatureOf({ method, path, query, headers, signedHeaders, payload, date, scope }: Signed, secret: string): string {
  const encode = (text: string): string =>
    encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const pairs = [...query].filter(([name]) => name !== 'X-Amz-Signature').map(([name, value]) => `${encode(name)}=${encode(value)}`);
  const lines = signedHeaders.map((name) => `${name}:${(headers[name] ?? '').trim().replaceAll(/\s+/g, ' ')}\n`).join('');
  const request = [method, path.split('/').map(encode).join('/'), pairs.sort().join('&'), lines, signedHeaders.join(';'), payload].join(
    '\n',
  );
  const text = ['AWS4-HMAC-SHA256', date, scope, createHash('sha256').update(request).digest('hex')].join('\n');
  const hmac = (key: string | Buffer, value: string): Buffer => createHmac('sha256', key).update(value).digest();
  const key = scope.split('/').reduce<string | Buffer>((signing, part) => hmac(signing, part), `AWS4${secret}`);
  return createHmac('sha256', key).update(text).digest('hex');
}

export interface Bucket {
  url: string;
  /** What is stored, by path. */
  objects: ReadonlyMap<string, { body: Buffer; type: string }>;
  /** Uploads that were begun and neither completed nor aborted. */
  uploads: ReadonlyMap<string, { path: string; parts: Map<number, Buffer> }>;
  /** Answers the next requests that fit with a failure; before their effect, or after it. */
  fail(fits: (request: { method: string; url: URL }) => boolean, fault: 'BEFORE' | 'AFTER' | 'ERROR_IN_BODY', times?: number): void;
  close(): Promise<void>;
}

/** A store of objects that believes nothing but a right signature, and keeps the conditions it is asked for. */
export async function openBucketServer(secret: string): Promise<Bucket> {
  const objects = new Map<string, { body: Buffer; type: string }>();
  const uploads = new Map<string, { path: string; type: string; parts: Map<number, Buffer> }>();
  let faults: { fits: (request: { method: string; url: URL }) => boolean; fault: string; times: number }[] = [];
  const server: Server = createServer(async (request, response) => {
    const url = new URL(request.url!, 'http://bucket');
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const fault = faults.find((each) => each.times > 0 && each.fits({ method: request.method!, url }));
    if (fault) fault.times -= 1;
    const answer = (status: number, content: Buffer | string = '', headers: Record<string, string> = {}): void => {
      if (fault?.fault === 'AFTER') return void response.writeHead(500).end();
      response.writeHead(status, headers).end(request.method === 'HEAD' ? undefined : content);
    };
    if (fault?.fault === 'BEFORE') return void response.writeHead(503).end();
    if (fault?.fault === 'ERROR_IN_BODY') return void response.writeHead(200).end('<Error><Code>InternalError</Code></Error>');
    if (!isTrusted(request, url, secret)) return answer(403, 'SignatureDoesNotMatch');
    const payload = request.headers['x-amz-content-sha256'];
    if (payload !== undefined && payload !== 'UNSIGNED-PAYLOAD' && payload !== createHash('sha256').update(body).digest('hex'))
      return answer(400, 'XAmzContentSHA256Mismatch');
    const uploadId = url.searchParams.get('uploadId');
    if (request.method === 'POST' && url.searchParams.has('uploads')) {
      const id = `upload-${uploads.size + 1}-${Math.random().toString(36).slice(2)}`;
      uploads.set(id, { path: url.pathname, type: String(request.headers['content-type']), parts: new Map() });
      return answer(200, `<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (uploadId !== null) {
      const upload = uploads.get(uploadId);
      if (!upload || upload.path !== url.pathname) return answer(404, 'NoSuchUpload');
      const number = Number(url.searchParams.get('partNumber'));
      if (request.method === 'DELETE') {
        uploads.delete(uploadId);
        return answer(204);
      }
      if (request.method === 'PUT') {
        upload.parts.set(number, body);
        return answer(200, '', { etag: tagOf(body) });
      }
      const named = [...body.toString().matchAll(/<PartNumber>(\d+)<\/PartNumber><ETag>([^<]+)<\/ETag>/g)];
      const parts = named.map(([, each]) => upload.parts.get(Number(each)));
      const isRight = named.every(([, , tag], index) => parts[index] && tagOf(parts[index]) === tag!.replaceAll('&quot;', '"'));
      if (named.length === 0 || !isRight) return answer(400, 'InvalidPart');
      if (parts.slice(0, -1).some((part) => part!.length < 5 * 1024 * 1024)) return answer(400, 'EntityTooSmall');
      objects.set(url.pathname, { body: Buffer.concat(parts as Buffer[]), type: upload.type });
      uploads.delete(uploadId);
      return answer(200, '<CompleteMultipartUploadResult/>');
    }
    const found = objects.get(url.pathname);
    if (request.method === 'PUT') {
      if (request.headers['if-none-match'] === '*' && found) return answer(412, 'PreconditionFailed');
      objects.set(url.pathname, { body, type: String(request.headers['content-type']) });
      return answer(200);
    }
    if (request.method === 'DELETE') {
      objects.delete(url.pathname);
      return answer(204);
    }
    if (!found) return answer(404, 'NoSuchKey');
    const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const part = from ? found.body.subarray(Number(from), Number(to) + 1) : found.body;
    const disposition = url.searchParams.get('response-content-disposition');
    return answer(from ? 206 : 200, part, {
      'content-type': found.type,
      'content-length': String(part.length),
      ...(disposition && { 'content-disposition': disposition }),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    objects,
    uploads,
    fail(fits, fault, times = 1) {
      faults = [...faults.filter((each) => each.times > 0), { fits, fault, times }];
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function isTrusted(request: IncomingMessage, url: URL, secret: string): boolean {
  const authorization = /Credential=([^,]+), SignedHeaders=([^,]+), Signature=(\w+)/.exec(request.headers.authorization ?? '');
  const query = url.searchParams;
  const credential = authorization?.[1] ?? query.get('X-Amz-Credential') ?? '';
  const signedHeaders = (authorization?.[2] ?? query.get('X-Amz-SignedHeaders') ?? '').split(';');
  const date = String(request.headers['x-amz-date'] ?? query.get('X-Amz-Date'));
  const payload = String(request.headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD');
  const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]));
  const scope = credential.split('/').slice(1).join('/');
  const expected = signatureOf(
    { method: request.method!, path: decodeURIComponent(url.pathname), query, headers, signedHeaders, payload, date, scope },
    secret,
  );
  const isFresh = authorization !== null || Date.parse(isoOf(date)) + Number(query.get('X-Amz-Expires')) * 1_000 > Date.now();
  return isFresh && (authorization?.[3] ?? query.get('X-Amz-Signature')) === expected;
}

const tagOf = (part: Buffer): string => `"${createHash('md5').update(part).digest('hex')}"`;

const isoOf = (date: string): string => date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z');
