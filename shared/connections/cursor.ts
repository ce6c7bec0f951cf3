import { createHmac, timingSafeEqual } from 'node:crypto';
import { env } from '../env.ts';
import { Problem } from '../errors.ts';

/** Where an entry stands in its list: the value it is sorted by, and its id for entries of the same value. */
export interface Position {
  id: string;
  value: unknown;
}

const MARK_LENGTH = 12;

/** Opaque text. `list` names the list and its order: a cursor is good there and nowhere else. Signed, so that nobody can make one up. */
export function cursorOf(list: string, { id, value }: Position): string {
  const body = JSON.stringify([id, value instanceof Date ? { date: value.toISOString() } : (value ?? null)]);
  const mark = createHmac('sha256', env.INTERNAL_SECRET).update(`cursor\n${list}\n${body}`).digest('base64url').slice(0, MARK_LENGTH);
  return Buffer.from(mark + body).toString('base64url');
}

/** The position a cursor stands for; INVALID_CURSOR for any text that `cursorOf` did not give for this list. */
export function positionOf(list: string, cursor: string, argument: string): Position {
  const position = read(cursor);
  // Made again and compared as a whole: there is no second spelling of a cursor.
  if (position && equal(cursorOf(list, position), cursor)) return position;
  throw new Problem('INVALID_CURSOR', 'This cursor was not given by this list in this order.', { path: [argument] });
}

function read(cursor: string): Position | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString().slice(MARK_LENGTH));
    if (!Array.isArray(parsed) || typeof parsed[0] !== 'string') return undefined;
    const [id, value] = parsed as [string, unknown];
    const date = typeof value === 'object' && value !== null && 'date' in value ? value.date : undefined;
    return { id, value: date === undefined ? value : new Date(date as string) };
  } catch {
    return undefined;
  }
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
