import { describe, expect, test } from '@jest/globals';
import { DAYS, isOpenAt, nextOpeningAfter, overlapIn, type Day, type Interval, type Week } from './opening-hours.ts';
import { zoneOf, momentOf } from './time-zone.ts';

const at = (day: Day, opens: string, closes: string): Interval => ({ day, opens, closes });
const daily = (opens: string, closes: string): Interval[] => DAYS.map((day) => at(day, opens, closes));
const week = (timeZone: string, openingHours: Interval[], closures: Week['closures'] = []): Week => ({ timeZone, openingHours, closures });
const open = (hours: Week, time: string) => isOpenAt(hours, new Date(time));
const next = (hours: Week, time: string) => nextOpeningAfter(hours, new Date(time))?.toISOString() ?? null;

describe('a normal week', () => {
  // 2026-03-04 is a Wednesday; Lusaka is two hours ahead of UTC all year.
  const hours = week('Africa/Lusaka', [
    at('WEDNESDAY', '08:00', '12:00'),
    at('WEDNESDAY', '13:00', '17:30'),
    at('SATURDAY', '09:00', '13:00'),
  ]);

  test.each([
    ['2026-03-04T05:59:59.999Z', false, '2026-03-04T06:00:00.000Z'],
    ['2026-03-04T06:00:00.000Z', true, '2026-03-04T11:00:00.000Z'],
    ['2026-03-04T09:59:59.999Z', true, '2026-03-04T11:00:00.000Z'],
    ['2026-03-04T10:00:00.000Z', false, '2026-03-04T11:00:00.000Z'],
    ['2026-03-04T15:30:00.000Z', false, '2026-03-07T07:00:00.000Z'],
    ['2026-03-07T11:00:00.000Z', false, '2026-03-11T06:00:00.000Z'],
  ])('at %s is open: %s, opens next at %s', (time, isOpen, opening) => {
    expect([open(hours, time), next(hours, time)]).toEqual([isOpen, opening]);
  });

  test('that nobody told is neither open nor closed', () => {
    expect([open(week('UTC', []), '2026-03-04T06:00:00Z'), next(week('UTC', []), '2026-03-04T06:00:00Z')]).toEqual([null, null]);
  });

  test('open day and night never opens again', () => {
    const always = week('Africa/Lusaka', daily('00:00', '24:00'));

    expect([open(always, '2026-03-04T22:00:00Z'), next(always, '2026-03-04T22:00:00Z')]).toEqual([true, null]);
  });
});

describe('hours over midnight', () => {
  const bar = week('Africa/Lusaka', [at('FRIDAY', '22:00', '02:00'), at('SUNDAY', '20:00', '03:00')]);

  test.each([
    ['Friday 21:59', '2026-03-06T19:59:00Z', false],
    ['Friday 22:00', '2026-03-06T20:00:00Z', true],
    ['Saturday 01:59', '2026-03-06T23:59:00Z', true],
    ['Saturday 02:00', '2026-03-07T00:00:00Z', false],
    ['Sunday 01:00', '2026-03-07T23:00:00Z', false],
    ['Monday 02:59', '2026-03-09T00:59:00Z', true],
  ])('on %s', (_case, time, isOpen) => {
    expect(open(bar, time)).toBe(isOpen);
  });
});

describe('closures', () => {
  const bar = (from: string, to: string) =>
    week('Africa/Lusaka', [at('FRIDAY', '22:00', '02:00'), at('SATURDAY', '22:00', '02:00')], [{ from, to }]);

  test('take away what begins on such a day, to its end', () => {
    expect(open(bar('2026-03-06', '2026-03-06'), '2026-03-06T21:00:00Z')).toBe(false);
    expect(open(bar('2026-03-06', '2026-03-06'), '2026-03-06T23:30:00Z')).toBe(false);
    expect(next(bar('2026-03-06', '2026-03-06'), '2026-03-06T12:00:00Z')).toBe('2026-03-07T20:00:00.000Z');
  });

  test('let the evening before go on past midnight', () => {
    expect(open(bar('2026-03-07', '2026-03-07'), '2026-03-06T23:30:00Z')).toBe(true);
  });

  test('of months are looked past, of more than a year not', () => {
    expect(next(bar('2026-03-01', '2026-12-31'), '2026-03-06T12:00:00Z')).toBe('2027-01-01T20:00:00.000Z');
    expect(
      next(
        {
          ...bar('2026-03-01', '2026-12-31'),
          closures: [
            { from: '2026-03-01', to: '2026-12-31' },
            { from: '2027-01-01', to: '2027-12-31' },
          ],
        },
        '2026-03-06T12:00:00Z',
      ),
    ).toBeNull();
  });
});

describe('clocks that change', () => {
  const london = week('Europe/London', daily('01:30', '09:00'));

  test('move local opening times along', () => {
    expect(next(london, '2026-03-27T12:00:00Z')).toBe('2026-03-28T01:30:00.000Z');
    expect(next(london, '2026-03-29T12:00:00Z')).toBe('2026-03-30T00:30:00.000Z');
  });

  test('skip a time: it opens as much later', () => {
    expect(next(london, '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:30:00.000Z');
  });

  test('repeat a time: it opens at the first', () => {
    expect(next(london, '2026-10-24T12:00:00Z')).toBe('2026-10-25T00:30:00.000Z');
    expect(open(london, '2026-10-25T01:15:00Z')).toBe(true);
  });

  test('leave nothing of hours that fall into the gap', () => {
    const gap = week(
      'Europe/London',
      daily('01:15', '01:45').filter(({ day }) => day === 'SUNDAY'),
    );

    expect(next(gap, '2026-03-28T12:00:00Z')).toBe('2026-03-29T01:15:00.000Z');
    expect(open(gap, '2026-03-29T01:20:00Z')).toBe(true);
  });

  test('may skip midnight itself', () => {
    expect(new Date(momentOf('Asia/Beirut', '2026-03-29', 0)).toISOString()).toBe('2026-03-28T22:00:00.000Z');
  });

  test.each(['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'America/St_Johns', 'Africa/Casablanca'])(
    'in %s are read back as they were written, every day of a year',
    (zone) => {
      const clock = new Intl.DateTimeFormat('en-GB', {
        timeZone: zone,
        hour: '2-digit',
        minute: '2-digit',
        year: 'numeric',
        month: '2-digit',
        day: '2-digit',
      });
      for (let day = new Date('2026-01-01T00:00:00Z'); day.getUTCFullYear() === 2026; day = new Date(day.getTime() + 86_400_000)) {
        const date = day.toISOString().slice(0, 10);
        const [year, month, dayOfMonth] = date.split('-');
        expect(clock.format(momentOf(zone, date, 12 * 60))).toBe(`${dayOfMonth}/${month}/${year}, 12:00`);
      }
    },
  );
});

test.each([
  ['one after the other', [at('MONDAY', '08:00', '12:00'), at('MONDAY', '12:00', '13:00')], undefined],
  ['over each other', [at('MONDAY', '08:00', '12:00'), at('MONDAY', '11:59', '13:00')], [0, 1]],
  ['from Sunday into Monday', [at('MONDAY', '01:00', '05:00'), at('SUNDAY', '20:00', '02:00')], [1, 0]],
  ['day and night', daily('00:00', '24:00'), undefined],
  ['nearly a whole day', [at('MONDAY', '08:00', '07:59')], undefined],
])('overlaps of intervals %s', (_case, intervals, overlap) => {
  expect(overlapIn(intervals)).toEqual(overlap);
});

test.each([
  ['africa/lusaka', 'Africa/Lusaka'],
  ['Asia/Tokyo', 'Asia/Tokyo'],
  ['America/Argentina/Buenos_Aires', 'America/Argentina/Buenos_Aires'],
  ['Asia/Kolkata', 'Asia/Kolkata'],
  ['UTC', 'UTC'],
  ['Mars/Olympus', undefined],
  ['+02:00', undefined],
  ['CET', undefined],
  ['', undefined],
])('the zone of %j is %j', (name, zone) => {
  expect(zoneOf(name)).toBe(zone);
});
