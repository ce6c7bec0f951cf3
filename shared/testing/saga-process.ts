import { createSagaIndexes } from '../sagas/store.ts';
import { connectMongo } from '../store/mongo.ts';
import { deployed } from './saga-deploy.ts';
import { openBuild } from './saga-builds.ts';

/*
 * A process of the first build: begins a saga and runs it until it is killed (CRASH_AT), waits or has ended. `SAGA_INPUT` is its input,
 * `SAGA_KEY` its key, `SAGA_DB` the database.
 */

const { MONGODB_URI, SAGA_DB, SAGA_KEY, SAGA_INPUT } = process.env;
const client = await connectMongo(MONGODB_URI!);
const db = client.useDb(SAGA_DB!);
await createSagaIndexes(db);
const build = openBuild(db, [deployed(1)]);
const id = await build.begin(JSON.parse(SAGA_INPUT!) as Record<string, unknown>, SAGA_KEY!);
await build.arrive(id, 'paid');
await build.run(id);
await client.close();
