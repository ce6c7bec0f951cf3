import { setTimeout as delay } from 'node:timers/promises';
import { createFiles } from '../files/files.ts';
import { connectMongo } from '../store/mongo.ts';
import { createUploads, uploadSettings } from '../uploads/uploads.ts';

/*
 * `node shared/testing/file-process.ts DATABASE`: writes a file whose source never ends, so that a test can kill it in the middle. Says `begun`
 * once more than a part of it is written. With a third argument it ends after so many megabytes, and says `extraMb` with the memory they took.
 */

const client = await connectMongo(process.env['MONGODB_URI']!);
const db = client.useDb(process.argv[2]!, { useCache: false });
const files = createFiles({ db, uploads: createUploads(uploadSettings.parse(process.env)), now: () => new Date() });

/** One for all: what a source makes is not the memory of the writer. */
const PIECE = Buffer.alloc(64 * 1024, 97);
const megabytes = Number(process.argv[3] ?? Number.POSITIVE_INFINITY);
let most = 0;

async function* source(count: number): AsyncGenerator<Uint8Array> {
  for (let index = 0; index < count; index += 1) {
    for (let piece = 0; piece < 16; piece += 1) yield PIECE;
    most = Math.max(most, process.memoryUsage().rss);
    if (count !== Number.POSITIVE_INFINITY) continue;
    if (index === 12) console.log('begun');
    if (index >= 12) await delay(10);
  }
}

// What the first file of a process loads is not counted.
await files.write({ folder: 'lists', name: 'first', visibility: 'PRIVATE' }, { contentType: 'text/csv', body: source(8) });
globalThis.gc?.();
most = 0;
const before = process.memoryUsage().rss;
await files.write({ folder: 'lists', name: 'lst_1', visibility: 'PRIVATE' }, { contentType: 'text/csv', body: source(megabytes) });
console.log(`extraMb ${Math.round((most - before) / 1e6)}`);
await client.close();
