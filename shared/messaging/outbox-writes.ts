import type { OutboxRow } from './outbox.ts';

/** Before each write: throws when this relay may not write any more. */
export type Check = () => Promise<void>;

/** An unacknowledged event is resent after this long, doubling. Its job id keeps it single on the queue, the inbox keeps its effect single. */
const MIN_CHECK_MS = 15_000;
const MAX_CHECK_MS = 10 * 60_000;

/** When an event that is sent now is checked. */
export const firstCheck = (at: number = Date.now()): Pick<OutboxRow, 'checkAt' | 'checks'> => ({
  checkAt: new Date(at + MIN_CHECK_MS),
  checks: 0,
});

interface Sent {
  _id: string;
  change: Partial<OutboxRow>;
}

/** The change of a row that is on its topics, with these cursors, and on its queues; `at` in epoch ms. */
export const changeOf = ({ waiting }: OutboxRow, cursors: Record<string, string>, at: number): Partial<OutboxRow> =>
  waiting.length > 0 ? { cursors, waiting, state: 'SENT', ...firstCheck(at) } : { cursors, state: 'DONE', doneAt: new Date(at) };

/** One update for all rows with an equal change: a store that makes each write durable by itself is spared hundreds. */
export const updatesFor = (sent: readonly Sent[]) =>
  [...Map.groupBy(sent, ({ change }) => JSON.stringify(change)).values()].map((alike) => ({
    updateMany: { filter: { _id: { $in: alike.map(({ _id }) => _id) }, state: 'NEW' as const }, update: { $set: alike[0]!.change } },
  }));

/** The next check of each row. A row without waiting queues was acknowledged before it was SENT, and is DONE. */
export const recheckUpdatesFor = (overdue: readonly OutboxRow[]) =>
  [...Map.groupBy(overdue, ({ waiting, checks }) => (waiting.length === 0 ? -1 : checks))].map(([checks, alike]) => {
    const filter = { _id: { $in: alike.map(({ _id }) => _id) }, state: 'SENT' as const };
    const checkAt = new Date(Date.now() + Math.min(MIN_CHECK_MS * 2 ** (checks + 1), MAX_CHECK_MS));
    const update = checks === -1 ? { $set: { state: 'DONE' as const, doneAt: new Date() } } : { $set: { checkAt }, $inc: { checks: 1 } };
    return { updateMany: { filter, update } };
  });
