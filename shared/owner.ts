import { createHash, randomUUID } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { stampOf } from './services/processes.ts';

/*
 * Who holds a lease or a lock writes its name there, so that one who comes after a crash on the same machine need not wait for the lease to
 * run out: it can see that the holder is gone.
 */

let prefix: string | undefined;

/** A name for a holder in this process, another one on each call. */
export function ownerName(): string {
  prefix ??= `${machine()}/${process.pid}/${machine() && stampOf(process.pid)}`;
  return `${prefix}/${randomUUID()}`;
}

/** True when the process of this holder has certainly ended; false when it lives, or when that cannot be seen from here. */
export function hasDied(owner: string): boolean {
  const [where, pid, stamp] = owner.split('/');
  if (!where || !stamp || where !== machine()) return false;
  return stampOf(Number(pid)) !== stamp;
}

let known: string | undefined;

/** Where process ids mean the same processes: this run of this kernel, this container. Empty where that cannot be told. */
function machine(): string {
  return (known ??= readMachine());
}

function readMachine(): string {
  try {
    const text = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8') + readlinkSync('/proc/self/ns/pid');
    return createHash('sha256').update(text).digest('base64url').slice(0, 16);
  } catch {
    return '';
  }
}
