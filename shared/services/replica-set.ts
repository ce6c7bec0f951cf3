const ALREADY_INITIALIZED = 23;

/**
 * Makes a single mongod a set of one, because transactions and change streams need one. A mongod whose port has
 * changed since no longer finds itself in its own set and is told its new address.
 */
export async function ensureReplicaSet(name: string, port: number): Promise<void> {
  // Loaded here, since only the very first start of a mongod needs a driver.
  const { mongo } = await import('mongoose');
  const client = new mongo.MongoClient(`mongodb://127.0.0.1:${port}/?directConnection=true`);
  const members = [{ _id: 0, host: `127.0.0.1:${port}` }];
  try {
    const admin = client.db('admin');
    await admin.command({ replSetInitiate: { _id: name, members } }).catch(async (error: unknown) => {
      if (!(error instanceof mongo.MongoServerError) || error.code !== ALREADY_INITIALIZED) throw error;
      const config = await client.db('local').collection('system.replset').findOne<{ version: number }>({});
      await admin.command({
        replSetReconfig: { ...config, version: (config?.version ?? 1) + 1, members },
        force: true,
      });
    });
  } finally {
    await client.close();
  }
}
