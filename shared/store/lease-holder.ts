import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { stampOf } from '../services/processes.ts';

/*
 * Who holds a lease or a lock writes its name there, so that one who comes after a crash on the same machine need not wait for the lease to
 * run out: it can see that the holder is gone.
 */

/** A name for a holder in this process, another one on each call. */
export const ownerName = (): string => `${prefix()}/${randomUUID()}`;

/** Runs `work` under a name of its own; when it has ended, whatever way, `hasLeft` says so of that name. */
export async function asOwner<T>(work: (owner: string) => Promise<T>): Promise<T> {
  const owner = ownerName();
  atWork.add(owner);
  try {
    return await work(owner);
  } finally {
    atWork.delete(owner);
  }
}

/** True when what was begun under this name by `asOwner` has certainly ended: here, or with its process. */
export const hasLeft = (owner: string): boolean => (owner.startsWith(`${prefix()}/`) ? !atWork.has(owner) : hasDied(owner));

/** Only this process can know of its own; nobody else relies on it. */
const atWork = new Set<string>();

/** True when the process of this holder has certainly ended; false when it lives, or when that cannot be seen from here. */
export function hasDied(owner: string): boolean {
  const [where, pid, stamp] = owner.split('/');
  if (!where || !stamp || where !== machine()) return false;
  return stampOf(Number(pid)) !== stamp;
}

let knownPrefix: string | undefined;

function prefix(): string {
  return (knownPrefix ??= `${machine()}/${process.pid}/${machine() && stampOf(process.pid)}`);
}

let knownMachine: string | undefined;

/** Where process ids mean the same processes: this run of this kernel, this container. Empty where that cannot be told. */
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
