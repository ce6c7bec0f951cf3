import { randomBytes } from 'node:crypto';
import { z } from 'zod';

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const HALF = 2 ** 40;
const LATEST_TIME = 2 ** 48 - 1;

/** The last id made: within one millisecond the next one counts on from it. */
const last = { time: -1, high: 0, low: 0 };

/**
 * An id like `nte_01J9ZK3V5W8QH2M4N6P7R9S0T1`: the owner's prefix, 48 bits of time in milliseconds, 80 random bits, in Crockford's
 * base32. Sorts by time as plain text. Within one process and one millisecond each id is greater than the one before, whatever
 * its prefix; between processes, and when the clock steps back, only the millisecond orders them.
 */
export function newId(prefix: string, now: Date = new Date()): string {
  const time = now.getTime();
  if (!/^[a-z][a-z0-9]*$/.test(prefix)) throw new TypeError(`"${prefix}" cannot be the prefix of an id`);
  if (!(time >= 0 && time <= LATEST_TIME)) throw new RangeError('This time does not fit into an id');
  if (time === last.time) {
    last.low += 1;
    if (last.low === HALF) Object.assign(last, { low: 0, high: last.high + 1 });
  } else {
    const random = randomBytes(10);
    // The top bit starts at 0, so that counting on never runs out.
    Object.assign(last, {
      time,
      high: random.readUIntBE(0, 5) % (HALF / 2),
      low: random.readUIntBE(5, 5),
    });
  }
  return `${prefix}_${base32(time, 10)}${base32(last.high, 8)}${base32(last.low, 8)}`;
}

/** Sorts before every id with this prefix that was made at `time` or later, and after those made before it. */
export const idsSince = (prefix: string, time: Date): string => `${prefix}_${base32(Math.max(time.getTime(), 0), 10)}`;

/** Accepts ids of this prefix only, in the very spelling `newId` gives them. */
export const idSchema = (prefix: string) =>
  z.string().regex(new RegExp(`^${prefix}_[0-7][${ALPHABET}]{25}$`), {
    error: `must be an id that begins with ${prefix}_`,
  });

function base32(value: number, length: number): string {
  let text = '';
  for (let rest = value; text.length < length; rest = Math.floor(rest / 32)) text = ALPHABET[rest % 32] + text;
  return text;
}
