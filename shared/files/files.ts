import type { Connection } from 'mongoose';
import { newId } from '../base/ids.ts';
import { createIndexes } from '../store/indexes.ts';
import type { ReadFile, Uploads, Visibility } from '../uploads/uploads.ts';
import type { FileContent } from './cells.ts';

export interface FileTarget {
  /** Words parted by slashes: who it belongs to and what for. */
  folder: string;
  /** The same name replaces what it held, so that a repeated job leaves one file. */
  name: string;
  visibility: Visibility;
  /** It cannot be read after so many days, and is removed. Left out: it stays until `remove`. */
  deleteAfterDays?: number;
}

export interface WrittenFile {
  key: string;
  contentType: string;
  size: number;
  deleteAt: Date | null;
}

/** Files of one subgraph, made here: written as they come, whole or not at all. */
export interface Files {
  /**
   * Writes a file in pieces, outside of the running transaction: in a job that is safe to repeat. Readers see it when all of it is there. A
   * source that fails, or a signal that fires, leaves what was there before.
   */
  write(target: FileTarget, content: FileContent, options?: { signal?: AbortSignal }): Promise<WrittenFile>;
  /** What `download` of a route answers with; undefined for a file that is not there, or whose time is over. */
  read(key: string): Promise<ReadFile | undefined>;
  remove(key: string): Promise<void>;
  /** Removes files whose time is over, and what ended processes left. Returns how many. */
  removeOld(): Promise<number>;
}

/** A file with its end. Written before the file is there, so that none is forgotten. */
interface FileRow {
  /** Its key. */
  _id: string;
  contentType: string;
  size: number;
  writtenAt: Date;
  deleteAt: Date | null;
}

/** A file on its way; removed when it is there. */
interface FileWriteRow {
  _id: string;
  key: string;
  /** What to abandon, once there is something. */
  token?: string;
  /** Of the wall clock; renewed while its process works on it. */
  aliveAt: Date;
}

interface FilesOptions {
  db: Connection;
  uploads: Uploads;
  now: () => Date;
  /** A writer that has not been heard of for so long is dead. */
  deadAfterMs?: number;
}

const DAY_MS = 24 * 3_600_000;
const DEAD_AFTER_MS = 10 * 60_000;
const ALIVE_EVERY_MS = 60_000;
const AT_ONCE = 100;

const filesOf = (db: Connection) => db.collection<FileRow>('files');
const fileWritesOf = (db: Connection) => db.collection<FileWriteRow>('fileWrites');

export async function createFileIndexes(db: Connection): Promise<void> {
  // removeOld: files whose time is over; writes of dead processes.
  await createIndexes(db, 'files', [{ key: { deleteAt: 1 }, name: 'deleteAt' }]);
  await createIndexes(db, 'fileWrites', [{ key: { aliveAt: 1 }, name: 'aliveAt' }]);
}

export function createFiles({ db, uploads, now, deadAfterMs = DEAD_AFTER_MS }: FilesOptions): Files {
  const rows = filesOf(db);
  const writes = fileWritesOf(db);

  async function write(
    { folder, name, visibility, deleteAfterDays }: FileTarget,
    { contentType, body }: FileContent,
    signal?: AbortSignal,
  ) {
    const key = uploads.keyFor({ folder, visibility, contentType }, name);
    const _id = newId('fwr');
    await writes.insertOne({ _id, key, aliveAt: new Date() });
    const alive = setInterval(
      () => void writes.updateOne({ _id }, { $set: { aliveAt: new Date() } }).catch(() => undefined),
      ALIVE_EVERY_MS,
    );
    try {
      const writer = await uploads.open(key, contentType, async (token) => void (await writes.updateOne({ _id }, { $set: { token } })));
      try {
        let size = 0;
        for await (const chunk of body) {
          signal?.throwIfAborted();
          await writer.write(chunk);
          size += chunk.byteLength;
        }
        signal?.throwIfAborted();
        const writtenAt = now();
        const deleteAt = deleteAfterDays === undefined ? null : new Date(writtenAt.getTime() + deleteAfterDays * DAY_MS);
        // First: a file that is there without a row would never end.
        await rows.updateOne({ _id: key }, { $set: { contentType, size, writtenAt, deleteAt } }, { upsert: true });
        await writer.finish();
        await writes.deleteOne({ _id }).catch(() => undefined);
        return { key, contentType, size, deleteAt };
      } catch (error) {
        // While the store cannot be reached the row stays, and `removeOld` tries again.
        await writer.abandon().then(
          () => writes.deleteOne({ _id }),
          () => undefined,
        );
        throw error;
      }
    } finally {
      clearInterval(alive);
    }
  }

  /** A file that is written anew under this key at this moment is kept: its row has another end. */
  async function removeExpired(): Promise<number> {
    const expired = await rows
      .find({ deleteAt: { $lte: now() } })
      .limit(AT_ONCE)
      .toArray();
    for (const { _id, deleteAt } of expired) {
      if (!(await rows.findOne({ _id, deleteAt }))) continue;
      await uploads.remove(_id);
      await rows.deleteOne({ _id, deleteAt });
    }
    return expired.length;
  }

  async function removeLeftovers(): Promise<number> {
    const dead = await writes
      .find({ aliveAt: { $lte: new Date(Date.now() - deadAfterMs) } })
      .limit(AT_ONCE)
      .toArray();
    for (const { _id, key, token } of dead) {
      if (token !== undefined) await uploads.abandon(key, token);
      await writes.deleteOne({ _id });
    }
    return dead.length;
  }

  return {
    write: (target, content, { signal } = {}) => write(target, content, signal),
    async read(key) {
      const row = await rows.findOne({ _id: key });
      if (row?.deleteAt && row.deleteAt <= now()) return undefined;
      return uploads.read(key);
    },
    async remove(key) {
      await uploads.remove(key);
      await rows.deleteOne({ _id: key });
    },
    async removeOld() {
      let removed = 0;
      for (const work of [removeExpired, removeLeftovers]) for (let some = AT_ONCE; some === AT_ONCE; removed += some) some = await work();
      return removed;
    },
  };
}
