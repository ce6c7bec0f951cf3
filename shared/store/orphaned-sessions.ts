import type { ClientSession, Connection, mongo } from 'mongoose';
import { isDead } from './lease-holder.ts';

/** The store sessions of one process. */
interface ProcessRow {
  _id: string;
  sessions: mongo.Binary[];
}

/**
 * A transaction of a killed process stays open in the store and locks its documents until the store ends it after a minute. So each process
 * records its sessions, and the next process on the same machine kills those of dead ones at once.
 */
export function createOrphanedSessions(db: Connection, holder: string) {
  const rows = db.collection<ProcessRow>('processes');
  const recorded = new Set<string>();

  return {
    /** Call it before the first transaction of a session. The driver reuses few sessions, so this writes seldom. */
    async record({ id }: ClientSession): Promise<void> {
      if (!id || recorded.has(id.id.toString('hex'))) return;
      await rows.updateOne({ _id: holder }, { $addToSet: { sessions: id.id } }, { upsert: true });
      recorded.add(id.id.toString('hex'));
    },

    /** Kills the open sessions of dead processes of this machine. */
    async killOrphaned(): Promise<void> {
      const dead = (await rows.find().toArray()).filter(({ _id }) => isDead(_id));
      const sessions = dead.flatMap((row) => row.sessions.map((id) => ({ id })));
      if (sessions.length > 0) await db.getClient().db('admin').command({ killSessions: sessions });
      if (dead.length > 0) await rows.deleteMany({ _id: { $in: dead.map(({ _id }) => _id) } });
    },

    /** Removes the row of this process, which has no open session any more. */
    async close(): Promise<void> {
      await rows.deleteOne({ _id: holder });
    },
  };
}

export type OrphanedSessions = ReturnType<typeof createOrphanedSessions>;
