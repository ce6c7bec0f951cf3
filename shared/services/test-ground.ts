import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import mongoose from 'mongoose';
import type { Services } from './services.ts';

/** A folder of its own for one test file, with a PATH on which there is only what the test puts there. */
export interface Ground {
  folder(name: string): string;
  /** Puts a program on the PATH: a shell script, or what it stands for. */
  program(name: string, script: string): void;
  remove(name: string): void;
  env: NodeJS.ProcessEnv;
  clear(): void;
}

const NAMED = ['MONGODB_URI', 'REDIS_URL', 'MONGOMS_SYSTEM_BINARY', 'SOKO_STORE'];

export function openGround(): Ground {
  const root = mkdtempSync(join(tmpdir(), 'services-'));
  const bin = join(root, 'bin');
  mkdirSync(bin);
  const inherited = Object.entries(process.env).filter(([name]) => !NAMED.includes(name));
  return {
    folder: (name) => join(root, name),
    program(name, script) {
      writeFileSync(join(bin, name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(bin, name), 0o755);
    },
    remove: (name) => rmSync(join(bin, name)),
    // What this machine's user has built is not there either.
    env: { ...Object.fromEntries(inherited), PATH: bin, XDG_CACHE_HOME: join(root, 'cache') },
    clear: () => rmSync(root, { recursive: true, force: true }),
  };
}

/** The interpreter itself, since what is called python3 may be a script that needs the rest of the PATH. */
export function realPython(): string {
  return execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();
}

/** Real clients of both services, with one note in each. */
export async function connectTo({ mongodb, redis }: Services) {
  const client = await new mongoose.mongo.MongoClient(mongodb.uri).connect();
  const notes = client.db('ground').collection<{ _id: string; text: string }>('notes');
  const cache = new Redis(redis.uri, { maxRetriesPerRequest: null });
  return {
    client,
    notes,
    cache,
    write: async (text: string) => {
      await notes.updateOne({ _id: 'note' }, { $set: { text } }, { upsert: true });
      await cache.set('note', text);
    },
    read: async () => ({ mongodb: (await notes.findOne({ _id: 'note' }))?.text, redis: (await cache.get('note')) ?? undefined }),
    close: async () => {
      cache.disconnect();
      await client.close();
    },
  };
}
