import { CronExpressionParser } from 'cron-parser';
import type { Schedule } from '../kit/define-job.ts';

/** The first turn after this time. A turn whose local time a change to summer time skips is in the hour after it; one that occurs twice counts once. */
export function nextTurn(schedule: Schedule, after: Date): Date {
  if ('every' in schedule) return new Date(after.getTime() + schedule.every);
  return parse(schedule, after).next().toDate();
}

export function nextTurns(schedule: Schedule, after: Date, count: number): Date[] {
  const turns: Date[] = [];
  for (let at = after; turns.length < count;) turns.push((at = nextTurn(schedule, at)));
  return turns;
}

/** What is wrong with a schedule, as a sentence; undefined when it is right. */
export function faultOf(schedule: Schedule): string | undefined {
  if ('every' in schedule) return schedule.every >= MIN_EVERY_MS ? undefined : `It is due at most every ${MIN_EVERY_MS} ms.`;
  try {
    if (schedule.cron.trim().split(/\s+/).length !== 5) return 'A cron pattern has five fields, such as `0 2 * * *`.';
    new Intl.DateTimeFormat('en', { timeZone: schedule.tz });
    parse(schedule, new Date()).next();
    return undefined;
  } catch (error) {
    return error instanceof RangeError && error.message.includes('time zone')
      ? `There is no time zone ${schedule.tz.slice(0, 50)}; a name such as Africa/Lusaka is wanted.`
      : `The cron pattern cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
  }
}

const MIN_EVERY_MS = 100;

const parse = ({ cron, tz }: { cron: string; tz: string }, currentDate: Date) => CronExpressionParser.parse(cron, { tz, currentDate });
