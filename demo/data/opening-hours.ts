import type { Closure, OpeningHours } from './types.ts';

type Span = `${string}-${string}`;

/** The same hours Monday to Friday; a day that is not named is closed. */
export interface Week {
  weekdays: Span;
  sat?: Span;
  sun?: Span;
}

export function week(days: Week): OpeningHours {
  const weekday = () => spans(days.weekdays);
  return {
    mon: weekday(),
    tue: weekday(),
    wed: weekday(),
    thu: weekday(),
    fri: weekday(),
    sat: spans(days.sat),
    sun: spans(days.sun),
  };
}

function spans(span: Span | undefined): [string, string][] {
  if (!span) return [];
  const [opens = '', closes = ''] = span.split('-');
  return [[opens, closes]];
}

const day = (date: string, reason: string): Closure => ({ from: date, to: date, reason });

/** Public holidays as gazetted dates: Easter and the first Mondays move, and a Sunday holiday is kept on Monday. */
const HOLIDAYS = {
  newYear: [day('2026-01-01', "New Year's Day"), day('2027-01-01', "New Year's Day")],
  womensDay: [day('2026-03-09', "International Women's Day (observed)"), day('2027-03-08', "International Women's Day")],
  youthDay: [day('2026-03-12', 'Youth Day'), day('2027-03-12', 'Youth Day')],
  goodFriday: [day('2026-04-03', 'Good Friday'), day('2027-03-26', 'Good Friday')],
  easterMonday: [day('2026-04-06', 'Easter Monday'), day('2027-03-29', 'Easter Monday')],
  labourDay: [day('2026-05-01', 'Labour Day'), day('2027-05-01', 'Labour Day')],
  heroesAndUnity: [
    { from: '2026-07-06', to: '2026-07-07', reason: "Heroes' Day and Unity Day" },
    { from: '2027-07-05', to: '2027-07-06', reason: "Heroes' Day and Unity Day" },
  ],
  farmersDay: [day('2026-08-03', "Farmers' Day"), day('2027-08-02', "Farmers' Day")],
  independence: [day('2026-10-24', 'Independence Day'), day('2027-10-25', 'Independence Day (observed)')],
  christmas: [day('2026-12-25', 'Christmas Day'), day('2027-12-25', 'Christmas Day')],
  japaneseNewYear: [
    { from: '2025-12-31', to: '2026-01-03', reason: 'New Year holidays' },
    { from: '2026-12-31', to: '2027-01-03', reason: 'New Year holidays' },
  ],
  obon: [
    { from: '2026-08-13', to: '2026-08-16', reason: 'Obon' },
    { from: '2027-08-13', to: '2027-08-16', reason: 'Obon' },
  ],
} satisfies Record<string, Closure[]>;

export type Holiday = keyof typeof HOLIDAYS;

/** Closed on these holidays, in the order of the calendar. */
export function closures(names: Holiday[]): Closure[] {
  return names.flatMap((name): Closure[] => HOLIDAYS[name]).toSorted((a, b) => (a.from < b.from ? -1 : 1));
}
