import { migration, type Migration } from '../kit/migration.ts';
import { ENDED_STATES, type Saga, type SagaRow } from '../kit/define-saga.ts';
import { sagasOf } from './store.ts';

/** A row of a build without versions: `at` is the index of its step, which older ones have instead of a name. */
type OldRow = Partial<SagaRow> & Pick<SagaRow, '_id' | 'state' | 'saga' | 'results'> & { at?: number };

const OPEN: SagaRow['state'][] = ['RUNNING', 'WAITING', 'COMPENSATING', 'STUCK'];
const ONCE = { comment: 'plan: a migration reads all rows once' };

/** What became of the rows of sagas, for the database of every subgraph. */
export const sagaMigrations = (sagas: readonly Saga<any, any>[]): Migration[] => [
  // Rows older than the retention; their time begins now.
  migration('2026-11-28-saga-ends', {
    batch: 1_000,
    async run({ db, session }) {
      const ended = { finishedAt: null, state: { $in: [...ENDED_STATES] } };
      const { modifiedCount } = await sagasOf(db).updateMany(ended, { $set: { finishedAt: new Date() } }, { session, ...ONCE });
      return { after: null, changed: modifiedCount };
    },
  }),
  migration('2026-11-29-saga-versions', {
    batch: 500,
    async run({ db, session }, { after, batch }) {
      const next = { ...(after && { _id: { $gt: after } }), state: { $in: OPEN } };
      const rows = (await sagasOf(db)
        .find(next, { session, ...ONCE })
        .sort({ _id: 1 })
        .limit(batch)
        .toArray()) as OldRow[];
      const changes = rows.flatMap((row) =>
        row.version === undefined ? [{ updateOne: { filter: { _id: row._id }, update: { $set: withVersion(row, sagas) } } }] : [],
      );
      if (changes.length > 0) await sagasOf(db).bulkWrite(changes, { session });
      return { after: rows.length < batch ? null : rows.at(-1)!._id, changed: changes.length };
    },
  }),
];

/** Of version 1. A row whose step cannot be told keeps none: it is PARKED. */
function withVersion(row: OldRow, sagas: readonly Saga<any, any>[]): Partial<SagaRow> {
  const hasStep = row.step !== undefined && (row.state === 'COMPENSATING' || !(row.step in row.results));
  if (hasStep || row.at === undefined) return { version: 1 };
  const names = sagas.find(({ name, version }) => name === row.saga && version === 1)?.stepNames ?? [];
  const step = names.slice(0, row.at).every((name) => name in row.results) ? names[row.at] : undefined;
  return { version: 1, ...(step !== undefined && { step }) };
}
