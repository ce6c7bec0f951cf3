import { formatDecimal, type Money } from '../base/money.ts';

/** What a cell may hold. Money is shown as its decimal; its currency is a column of its own where rows differ. */
export type Cell = string | number | bigint | boolean | Date | Money | null | undefined;

export interface Column<R> {
  name: string;
  value(row: R): Cell;
  /** For times; default UTC. CSV writes the offset, XLSX the local time with the zone in the heading. */
  timeZone?: string;
}

/** Rows as they come, such as a cursor of the store. */
export type Rows<R> = AsyncIterable<R> | Iterable<R>;

/** A file that is written piece by piece: `ctx.files.write(target, csv(columns, rows))`. */
export interface FileContent {
  contentType: string;
  body: AsyncIterable<Uint8Array>;
}

export const isMoney = (cell: object): cell is Money => 'amount' in cell && 'currency' in cell;

export const moneyText = (cell: Money): string => formatDecimal(cell);

/** A spreadsheet keeps so many digits of a number. */
const MAX_DIGITS = 15;
export const isExact = (decimal: string): boolean => decimal.replaceAll(/\D/g, '').replace(/^0+/, '').length <= MAX_DIGITS;

/** A cell that begins like a formula, or like one that was escaped, whatever the width of its characters. */
export const RISKY = /^'*[=+\-@\t\r\uFF0B\uFF0D\uFF1D\uFF20]/;

const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en', { timeZone, timeZoneName: 'longOffset' });
  formats.set(timeZone, made);
  return made;
}

export interface LocalTime {
  /** The local time, as if it were UTC. */
  epochMs: number;
  /** `+02:00` */
  offset: string;
}

const offsets = new Map<string, string>();
const OFFSETS_MAX = 2_000;
const QUARTER_MS = 15 * 60_000;
/** Since then all clocks change at a quarter of an hour. */
const ALIGNED_SINCE = Date.UTC(1980, 0, 1);

/** Asking the calendar costs more than all the rest of a cell, and most moments of a table have a neighbour. */
function offsetAt(at: Date, timeZone: string): string {
  if (at.getTime() < ALIGNED_SINCE) return readOffset(at, timeZone);
  const key = `${timeZone} ${Math.floor(at.getTime() / QUARTER_MS)}`;
  const known = offsets.get(key);
  if (known) return known;
  if (offsets.size >= OFFSETS_MAX) offsets.clear();
  const offset = readOffset(at, timeZone);
  offsets.set(key, offset);
  return offset;
}

function readOffset(at: Date, timeZone: string): string {
  const name = formatOf(timeZone)
    .formatToParts(at)
    .find(({ type }) => type === 'timeZoneName')!.value;
  return name === 'GMT' ? '+00:00' : name.slice(3).replace('\u2212', '-');
}

/** A moment on the clocks of a time zone. */
export function localTime(at: Date, timeZone = 'UTC'): LocalTime {
  const offset = offsetAt(at, timeZone);
  const [, sign, hours, minutes, seconds = '0'] = /^([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(offset)!;
  const shift = ((Number(hours) * 60 + Number(minutes)) * 60 + Number(seconds)) * 1_000 * (sign === '-' ? -1 : 1);
  return { epochMs: at.getTime() + shift, offset };
}

/** `2026-12-06T09:34:12+02:00`; milliseconds only where there are some. */
export function isoWithOffset(at: Date, timeZone?: string): string {
  const { epochMs, offset } = localTime(at, timeZone);
  return new Date(epochMs).toISOString().replace(/(?:\.000)?Z$/, '') + offset;
}
