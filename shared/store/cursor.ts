import { createHmac, timingSafeEqual } from 'node:crypto';
import { env } from '../base/env.ts';
import { Problem } from '../base/errors.ts';

/** Where an entry stands in its list: the values it is sorted by, one for each key of the order. */
export type Position = readonly unknown[];

const MARK_LENGTH = 12;

/** Opaque text. `list` names the list and its order: a cursor is good there and nowhere else. Signed, so that nobody can make one up. */
export function cursorOf(list: string, position: Position): string {
  const body = JSON.stringify(position.map((value) => (value instanceof Date ? { date: value.toISOString() } : value)));
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
    return Array.isArray(parsed) ? parsed.map(revive) : undefined;
  } catch {
    return undefined;
  }
}

function revive(value: unknown): unknown {
  return typeof value === 'object' && value !== null && 'date' in value ? new Date(value.date as string) : value;
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
