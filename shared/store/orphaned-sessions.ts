import type { ClientSession, Connection, mongo } from 'mongoose';
import { hasDied } from './lease-holder.ts';

/** The sessions in which a process runs its transactions. */
interface ProcessRow {
  _id: string;
  sessions: mongo.Binary[];
}

/**
 * A transaction whose process was killed stays open in the store, and keeps what it has written from everybody else, until the store gives
 * it up after a minute. So each process notes its sessions, and who comes after it on the same machine ends them at once.
 */
export function createOrphans(db: Connection, owner: string) {
  const rows = db.collection<ProcessRow>('processes');
  const noted = new Set<string>();

  return {
    /** Before the first transaction in a session. The driver uses few sessions over and over, so this writes seldom. */
    async note({ id }: ClientSession): Promise<void> {
      if (!id || noted.has(id.id.toString('hex'))) return;
      await rows.updateOne({ _id: owner }, { $addToSet: { sessions: id.id } }, { upsert: true });
      noted.add(id.id.toString('hex'));
    },

    /** Ends what died processes of this machine left open. */
    async end(): Promise<void> {
      const dead = (await rows.find().toArray()).filter(({ _id }) => hasDied(_id));
      const sessions = dead.flatMap((row) => row.sessions.map((id) => ({ id })));
      if (sessions.length > 0) await db.getClient().db('admin').command({ killSessions: sessions });
      if (dead.length > 0) await rows.deleteMany({ _id: { $in: dead.map(({ _id }) => _id) } });
    },

    /** Nothing of this process is open any more. */
    async close(): Promise<void> {
      await rows.deleteOne({ _id: owner });
    },
  };
}

export type Orphans = ReturnType<typeof createOrphans>;
