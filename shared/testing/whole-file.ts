import type { Uploads } from '../uploads/uploads.ts';

/** All bytes of a file that is kept; undefined when there is none. */
export async function wholeFile(uploads: Uploads, key: string): Promise<Buffer | undefined> {
  const bytes = await uploads.stream(key);
  return bytes && Buffer.concat(await Array.fromAsync(bytes));
}
