import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { stampOf } from '../services/processes.ts';

/*
 * The holder of a lease or a lock writes its id there. After a crash, another process of the same machine can see that the holder is dead, and
 * need not wait for the lease to run out.
 */

/** A new holder id of this process. */
export const newHolderId = (): string => `${prefix()}/${randomUUID()}`;

/** Runs `work` under a new holder id. `isReleased` is true for that id once `work` has ended, with or without an error. */
export async function withHolder<T>(work: (holder: string) => Promise<T>): Promise<T> {
  const holder = newHolderId();
  active.add(holder);
  try {
    return await work(holder);
  } finally {
    active.delete(holder);
  }
}

/** True when the work of this id in `withHolder` has certainly ended: here, or with its process. */
export const isReleased = (holder: string): boolean => (holder.startsWith(`${prefix()}/`) ? !active.has(holder) : isDead(holder));

/** The ids of this process; other processes cannot see them and do not rely on them. */
const active = new Set<string>();

/** True when the holder's process has certainly ended; false when it lives, or when this machine cannot tell. */
export function isDead(holder: string): boolean {
  const [where, pid, stamp] = holder.split('/');
  if (!where || !stamp || where !== machine()) return false;
  return stampOf(Number(pid)) !== stamp;
}

let knownPrefix: string | undefined;

function prefix(): string {
  return (knownPrefix ??= `${machine()}/${process.pid}/${machine() && stampOf(process.pid)}`);
}

let knownMachine: string | undefined;

/** Identifies the scope of process ids: this boot of the kernel, this container. Empty where it is unknown. */
function machine(): string {
  return (knownMachine ??= readMachine());
}

function readMachine(): string {
  try {
    const text = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8') + readlinkSync('/proc/self/ns/pid');
    return createHash('sha256').update(text).digest('base64url').slice(0, 16);
  } catch {
    return '';
  }
}
