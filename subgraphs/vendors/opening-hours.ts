import { addDays, dateIn, momentOf, weekdayOf, type LocalDate } from './time-zone.ts';

export const DAYS = ['MONDAY', 'TUESDAY', 'WEDNESDAY', 'THURSDAY', 'FRIDAY', 'SATURDAY', 'SUNDAY'] as const;
export type Day = (typeof DAYS)[number];

export interface Interval {
  day: Day;
  /** `08:00` */
  opens: string;
  /** `17:30`; not later than `opens`, it is on the next day. */
  closes: string;
}

/** Both days included. */
export interface Closure {
  from: LocalDate;
  to: LocalDate;
}

export interface Week {
  timeZone: string;
  openingHours: readonly Interval[];
  closures: readonly Closure[];
}

interface Span {
  from: number;
  to: number;
}

const DAY_MINUTES = 24 * 60;
const WEEK_MINUTES = 7 * DAY_MINUTES;
/** A store that stays closed for longer has no next opening worth telling. */
const DAYS_AHEAD = 366;
/** Without a closure, what happens within a week and a day goes on for ever. */
const DAYS_THAT_SAY_ALL = 8;

/** Null when the store has not said when it opens. */
export function isOpenAt(week: Week, at: Date): boolean | null {
  if (week.openingHours.length === 0) return null;
  const today = dateIn(week.timeZone, at);
  const now = at.getTime();
  // What began yesterday may reach into today.
  return [addDays(today, -1), today].some((date) => spansOf(week, date).some(({ from, to }) => from <= now && now < to));
}

/** When it opens next after having been closed; null for one that never closes, stays closed for a year, or has not said. */
export function nextOpeningAfter(week: Week, at: Date): Date | null {
  if (week.openingHours.length === 0) return null;
  const today = dateIn(week.timeZone, at);
  const now = at.getTime();
  const lastClosed = week.closures.map(({ to }) => to).reduce((a, b) => (a > b ? a : b), today);
  const furthest = [addDays(lastClosed, DAYS_THAT_SAY_ALL), addDays(today, DAYS_AHEAD)].toSorted()[0]!;
  let openUntil = 0;
  for (let date = addDays(today, -1); date <= furthest; date = addDays(date, 1)) {
    for (const { from, to } of spansOf(week, date)) {
      if (from > now && from > openUntil) return new Date(from);
      openUntil = Math.max(openUntil, to);
    }
  }
  return null;
}

/** The first two intervals of the week that overlap, by position; undefined when none do. */
export function overlapIn(intervals: readonly Interval[]): [number, number] | undefined {
  const spans = intervals.map(({ day, opens, closes }, index) => {
    const from = DAYS.indexOf(day) * DAY_MINUTES + minutesOf(opens);
    return { index, from, to: from + lengthOf(opens, closes) };
  });
  const sorted = spans.toSorted((a, b) => a.from - b.from);
  for (const [place, span] of sorted.entries()) {
    const next = sorted[place + 1] ?? { ...sorted[0]!, from: sorted[0]!.from + WEEK_MINUTES };
    if (next.index !== span.index && span.to > next.from) return [span.index, next.index];
  }
  return undefined;
}

/** In the order of the week. */
export const inOrder = (intervals: readonly Interval[]): Interval[] =>
  intervals.toSorted((a, b) => DAYS.indexOf(a.day) - DAYS.indexOf(b.day) || minutesOf(a.opens) - minutesOf(b.opens));

/** When the store is open by what begins on this day, soonest first. */
function spansOf({ timeZone, openingHours, closures }: Week, date: LocalDate): Span[] {
  // Dates as text sort like dates.
  if (closures.some(({ from, to }) => from <= date && date <= to)) return [];
  const day = DAYS[weekdayOf(date)];
  return openingHours
    .filter((interval) => interval.day === day)
    .map(({ opens, closes }) => {
      const start = minutesOf(opens);
      return { from: momentOf(timeZone, date, start), to: momentOf(timeZone, date, start + lengthOf(opens, closes)) };
    })
    .filter(({ from, to }) => from < to)
    .toSorted((a, b) => a.from - b.from);
}

function minutesOf(time: string): number {
  const [hours, minutes] = time.split(':').map(Number);
  return hours! * 60 + minutes!;
}

const lengthOf = (opens: string, closes: string): number => {
  const length = minutesOf(closes) - minutesOf(opens);
  return length > 0 ? length : length + DAY_MINUTES;
};
