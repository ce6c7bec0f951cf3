import type { Connection } from 'mongoose';

/** Set by global-setup when the store is thrown away after the run. */
const OWN_STORE = 'SOKO_TEST_STORE_IS_OWN';

export const noteOwnStore = (): void => void (process.env[OWN_STORE] = '1');

/**
 * Removes the databases of a test from a store that outlives the run. In a store of the run's own they stay: one of the supported stores makes
 * the removal of each row durable by itself, under a lock, while all other tests wait.
 */
export async function dropDatabases(databases: Iterable<Pick<Connection, 'dropDatabase'>>): Promise<void> {
  if (process.env[OWN_STORE]) return;
  for (const database of databases) await database.dropDatabase();
}
