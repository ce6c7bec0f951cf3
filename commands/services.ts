import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { openDataFolder } from '#shared/base/data-folder.ts';
import { DataDirInUse, openServices } from '#shared/services/services.ts';
import { runStart, StartError } from '#shared/base/start-error.ts';

/* `npm run services`: a MongoDB and a Redis for parts that run as processes of their own. Keeps running until it is stopped. */

const MAX_TIMER_MS = 2 ** 31 - 1;

await runStart(async () => {
  const dataDir = join(openDataFolder(), 'services');
  const services = await openServices({ dataDir, log: (line) => console.error(line) }).catch((error: Error) => {
    const isTaken = error instanceof DataDirInUse;
    throw isTaken ? new StartError(`${error.message} A running npm start names its stores in demo.json.`, { cause: error }) : error;
  });
  closeWithGrace(() => services.close());
  // The stores do not hold the event loop: without this the process would end, and they with it.
  setInterval(() => undefined, MAX_TIMER_MS);
  console.log(`export MONGODB_URI='${services.mongodb.uri}' REDIS_URL='${services.redis.uri}'`);
});
