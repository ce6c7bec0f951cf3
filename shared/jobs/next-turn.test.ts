import { describe, expect, test } from '@jest/globals';
import { faultOf, nextTurns } from './next-turn.ts';

const berlin = { cron: '30 2 * * *', tz: 'Europe/Berlin' };
const hourly = { cron: '30 * * * *', tz: 'Europe/Berlin' };

test.each([
  ['its local time in summer and winter', { cron: '0 2 * * *', tz: 'America/New_York' }, '2026-07-01T00:00:00Z', ['2026-07-01T06:00:00Z']],
  [
    'its local time where there is no summer time',
    { cron: '0 2 * * *', tz: 'Africa/Lusaka' },
    '2026-07-01T00:00:00Z',
    ['2026-07-02T00:00:00Z'],
  ],
  // 02:30 does not exist on 29 March.
  ['the hour after, where summer time skips the turn', berlin, '2026-03-28T12:00:00Z', ['2026-03-29T01:30:00Z', '2026-03-30T00:30:00Z']],
  // 02:30 exists twice on 25 October.
  ['the first of two equal local times only', berlin, '2026-10-24T12:00:00Z', ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z']],
  ['the first of them also when it is asked for between both', berlin, '2026-10-25T00:45:00Z', ['2026-10-26T01:30:00Z']],
  ['each hour of the night that has an hour more', hourly, '2026-10-24T23:45:00Z', ['2026-10-25T00:30:00Z', '2026-10-25T01:30:00Z']],
  ['each hour of the night that has an hour less', hourly, '2026-03-28T23:45:00Z', ['2026-03-29T00:30:00Z', '2026-03-29T01:30:00Z']],
  ['the next leap day', { cron: '0 0 29 2 *', tz: 'UTC' }, '2026-01-01T00:00:00Z', ['2028-02-29T00:00:00Z']],
  ['multiples of an interval', { every: 5_000 }, '2026-01-01T00:00:00Z', ['2026-01-01T00:00:05Z', '2026-01-01T00:00:10Z']],
])('a turn is at %s', (_case, schedule, after, turns) => {
  expect(nextTurns(schedule, new Date(after), turns.length)).toEqual(turns.map((turn) => new Date(turn)));
});

describe('a schedule is refused', () => {
  test.each([
    [{ cron: '61 * * * *', tz: 'UTC' }, 'The cron pattern cannot be read'],
    [{ cron: '', tz: 'UTC' }, 'five fields'],
    [{ cron: '0 0 31 2 *', tz: 'UTC' }, 'cannot be read'],
    [{ cron: '* * * * * *', tz: 'UTC' }, 'five fields'],
    [{ cron: '0 2 * * *', tz: 'Nowhere/Else' }, 'no time zone Nowhere/Else'],
    [{ every: 5 }, 'at most every 100 ms'],
  ])('%j', (schedule, words) => {
    expect(faultOf(schedule)).toContain(words);
  });

  test('unless it can be read', () => {
    expect(faultOf(berlin)).toBeUndefined();
  });
});
