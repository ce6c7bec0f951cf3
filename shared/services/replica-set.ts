/**
 * Makes a single mongod a set of one, because transactions and change streams need one. A mongod whose port has
 * changed since no longer finds itself in its own set and is told its new address.
 */
export async function ensureReplicaSet(name: string, port: number): Promise<void> {
  // Loaded here, since only the very first start of a mongod needs a driver.
  const { mongo } = await import('mongoose');
  const client = new mongo.MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true&serverSelectionTimeoutMS=2000`);
  const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
  try {
    const admin = client.db('admin');
    const known = await client.db('local').collection('system.replset').findOne<{ version: number }>({});
    await admin.command(
      known
        ? { replSetReconfig: { ...known, version: known.version + 1, members }, force: true }
        : { replSetInitiate: { _id: name, members } },
    );
  } finally {
    await client.close();
  }
}
