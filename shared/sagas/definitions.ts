import type { Connection } from 'mongoose';
import type { Saga, SagaRow } from '../kit/define-saga.ts';
import type { KnownVersions } from './store.ts';

type Announced = Omit<Saga, 'input' | 'steps'>;

interface DefinitionRow extends Announced {
  _id: string;
  /** When a living process last said that it knows this definition. */
  seenAt: Date;
}

/** A process that has said nothing for this long has ended. Several times the pause between two announcements. */
const ALIVE_MS = 60_000;
/** The version of rows that are older than versions. */
const FIRST_VERSION = 1;

/** The definitions that this build lists, and those that other living processes have announced. */
export function createDefinitions(db: Connection, sagas: readonly Saga<any, any>[]) {
  const rows = db.collection<DefinitionRow>('sagaDefinitions');
  const byId = new Map(sagas.map((saga) => [`${saga.name}@${saga.version}`, saga]));

  return {
    of: ({ saga, version }: Pick<SagaRow, 'saga' | 'version'>): Saga<any, any> | undefined => byId.get(`${saga}@${version}`),
    versions: versionsOf(sagas),
    async announce(): Promise<void> {
      const seenAt = new Date();
      for (const { name, version, fingerprint, stepNames } of sagas) {
        const announced = { name, version, fingerprint, stepNames, seenAt };
        await rows.updateOne({ _id: `${name}@${version} ${fingerprint}` }, { $set: announced }, { upsert: true });
      }
    },
    /** What living processes know, this one among them. */
    announced: (): Promise<Announced[]> => rows.find({ seenAt: { $gt: new Date(Date.now() - ALIVE_MS) } }).toArray(),
  };
}

/** By name; null stands for a row that a build without versions wrote. */
export const versionsOf = (known: readonly Pick<Announced, 'name' | 'version'>[]): KnownVersions =>
  new Map(
    [...Map.groupBy(known, ({ name }) => name)].map(([name, list]) => {
      const versions = list.map(({ version }) => version);
      return [name, versions.includes(FIRST_VERSION) ? [...versions, null] : versions];
    }),
  );

export type Definitions = ReturnType<typeof createDefinitions>;
