import { expect } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { ann, type Market } from './testing.ts';

/* What tests of imports and exports have in common. */

export const FILE = 'upload { id url method headers { name value } }';
export const IMPORT =
  'productImport { id state total processed created updated failed errorCount errors(first: 1000) { row column code message } vendor { id } finishedAt }';

export async function handIn(of: Market, text: string | Buffer, as = ann, vendorId = 'ven_a'): Promise<string> {
  const body = Buffer.from(text);
  const { upload } = await of.change('createProductImportUpload', { vendorId, size: body.length }, FILE, as);
  const headers = Object.fromEntries(upload.headers.map(({ name, value }: { name: string; value: string }) => [name, value]));
  expect((await fetch(upload.url, { method: 'PUT', headers, body: new Uint8Array(body) })).status).toBe(201);
  return upload.id;
}

/** Waits until an import or export has come to its end. */
export async function finished(
  of: Market,
  field: string,
  id: string,
  selection: string,
  { as, patienceMs = 60_000 }: { as?: Viewer; patienceMs?: number } = {},
): Promise<Data> {
  const until = Date.now() + patienceMs;
  for (;;) {
    const { data } = await of.app.ask(`query ($id: ID!) { ${field}(id: $id) { state ${selection} } }`, { id }, as && { as });
    if (['DONE', 'FAILED', 'CANCELLED'].includes(data[field].state)) return data[field];
    if (Date.now() > until) throw new Error(`${field} is ${data[field].state}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

export async function importFile(of: Market, text: string | Buffer, more: Record<string, unknown> = {}): Promise<Data> {
  const uploadId = await handIn(of, text);
  const { productImport } = await of.change('startProductImport', { vendorId: 'ven_a', uploadId, ...more }, IMPORT);
  return finished(of, 'productImport', productImport.id, IMPORT.slice('productImport {'.length, -1));
}

export async function exportFile(of: Market, more: Record<string, unknown> = {}): Promise<string> {
  const { productExport } = await of.change('startProductExport', { vendorId: 'ven_a', ...more }, 'productExport { id state url failure }');
  const done = await finished(of, 'productExport', productExport.id, 'url total processed');
  expect(done.processed).toBe(done.total);
  const read = await fetch(done.url);
  expect(read.headers.get('content-type')).toBe('text/csv; charset=utf-8');
  return read.text();
}

export const productsOf = async (of: Market): Promise<Data[]> =>
  of.app.context().models.Product.find({ vendorId: 'ven_a', deletedAt: null }).sort({ _id: 1 }).lean();

/** A file as a store of files might give it. */
export async function* inChunks(text: string | Buffer, bytes = 64 * 1024): AsyncGenerator<Uint8Array> {
  const whole = Buffer.from(text);
  for (let at = 0; at < whole.length; at += bytes) yield whole.subarray(at, at + bytes);
}
