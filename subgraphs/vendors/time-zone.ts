/** A day of the calendar, whatever the zone: `2026-03-01`. */
export type LocalDate = string;

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;

const ZONE = /^(?:UTC|[A-Za-z_]+(?:\/[A-Za-z0-9_+-]+)+)$/;

/** The zone in its usual spelling; undefined for what is none. Bare offsets are none: they do not know summer time. */
export function zoneOf(name: string): string | undefined {
  if (!ZONE.test(name)) return undefined;
  try {
    // Not kept in `clocks`: whoever asks may have invented the name.
    const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions();
    // Where a zone has two names, Intl answers the older one (Asia/Calcutta): people keep the one they gave.
    return timeZone.toLowerCase() === name.toLowerCase() ? timeZone : name;
  } catch {
    return undefined;
  }
}

/** The calendar day it is at this moment in the zone. */
export const dateIn = (zone: string, at: Date): LocalDate => dateOf(at.getTime() + offsetOf(zone, at.getTime()));

/** The day `days` later on the calendar. */
export const addDays = (date: LocalDate, days: number): LocalDate => dateOf(dayStart(date) + days * DAY_MS);

/** 0 is Monday. */
export const weekdayOf = (date: LocalDate): number => (new Date(dayStart(date)).getUTCDay() + 6) % 7;

/** True for a day that is on the calendar. */
export const isDate = (text: string): boolean =>
  /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(dayStart(text)) && dateOf(dayStart(text)) === text;

/**
 * The moment at which clocks of the zone show `minutes` after midnight of that day. A time that occurs twice is meant the first time; one
 * that is skipped is as much later as the clocks were put forward.
 */
export function momentOf(zone: string, date: LocalDate, minutes: number): number {
  const asIfUtc = dayStart(date) + minutes * MINUTE_MS;
  // Offsets are below a day, so these two are the ones before and after any change nearby.
  const before = offsetOf(zone, asIfUtc - DAY_MS);
  const after = offsetOf(zone, asIfUtc + DAY_MS);
  if (before === after) return asIfUtc - before;
  const candidates = [asIfUtc - before, asIfUtc - after].filter((at) => at + offsetOf(zone, at) === asIfUtc);
  return candidates.length > 0 ? Math.min(...candidates) : asIfUtc - before;
}

const dayStart = (date: LocalDate): number => Date.parse(`${date}T00:00:00Z`);
const dateOf = (asIfUtc: number): LocalDate => new Date(asIfUtc).toISOString().slice(0, 10);

/** How far local clocks are ahead of UTC at this moment, in milliseconds. */
function offsetOf(zone: string, at: number): number {
  const parts = Object.fromEntries(
    clockOf(zone)
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const local = Date.UTC(parts['year']!, parts['month']! - 1, parts['day'], parts['hour'], parts['minute'], parts['second']);
  return local - Math.floor(at / 1_000) * 1_000;
}

/** Making one costs as much as 50 uses. There are some 600 zones, so this stays small. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function clockOf(zone: string): Intl.DateTimeFormat {
  let clock = clocks.get(zone);
  if (!clock) {
    clock = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn', {
      timeZone: zone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    clocks.set(zone, clock);
  }
  return clock;
}
