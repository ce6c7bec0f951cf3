import type { OutboxRow } from './outbox.ts';

/** An unacknowledged event is put on its queue again after this long, doubling. Its job id keeps it single there, the inbox its effect. */
const FIRST_CHECK_MS = 15_000;
const LAST_CHECK_MS = 10 * 60_000;

interface Sent {
  _id: string;
  change: Partial<OutboxRow>;
}

/** What a row becomes once its topics have given it these cursors and its queues hold it; `at` in ms. */
export const changeOf = ({ waiting }: OutboxRow, cursors: Record<string, string>, at: number): Partial<OutboxRow> =>
  waiting.length > 0
    ? { cursors, state: 'SENT', checkAt: new Date(at + FIRST_CHECK_MS) }
    : { cursors, state: 'DONE', doneAt: new Date(at) };

/** One write for all rows that are different in the same way: a store that makes each write durable by itself is spared hundreds. */
export const noted = (sent: readonly Sent[]) =>
  [...Map.groupBy(sent, ({ change }) => JSON.stringify(change)).values()].map((alike) => ({
    updateMany: { filter: { _id: { $in: alike.map(({ _id }) => _id) }, state: 'NEW' as const }, update: { $set: alike[0]!.change } },
  }));

/** When each is looked at next. What waits for nothing any more was acknowledged before it was noted as sent. */
export const checked = (overdue: readonly OutboxRow[]) =>
  [...Map.groupBy(overdue, ({ waiting, checks }) => (waiting.length === 0 ? -1 : checks))].map(([checks, alike]) => {
    const filter = { _id: { $in: alike.map(({ _id }) => _id) }, state: 'SENT' as const };
    const checkAt = new Date(Date.now() + Math.min(FIRST_CHECK_MS * 2 ** (checks + 1), LAST_CHECK_MS));
    const update = checks === -1 ? { $set: { state: 'DONE' as const, doneAt: new Date() } } : { $set: { checkAt }, $inc: { checks: 1 } };
    return { updateMany: { filter, update } };
  });

/** An acknowledgement is `<queue> <event id>`. */
export function groupByQueue(taken: string[]): Map<string, string[]> {
  const groups = new Map<string, string[]>();
  for (const entry of taken) {
    const space = entry.indexOf(' ');
    const queue = entry.slice(0, space);
    const ids = groups.get(queue);
    if (ids) ids.push(entry.slice(space + 1));
    else groups.set(queue, [entry.slice(space + 1)]);
  }
  return groups;
}
