import { openHost } from '../../runtime/host.ts';
import { serve } from '../../transport/server.ts';
import { subgraphWithRoutes } from './routes.ts';

/* The fixture subgraph as a process, for tests that kill it: TEST_RUN names its databases and queues. Sends its address to its parent. */

const run = process.env['TEST_RUN']!;
const host = await openHost([subgraphWithRoutes], {
  mongodbUri: process.env['MONGODB_URI']!,
  redisUrl: process.env['REDIS_URL']!,
  databasePrefix: `${run}_`,
  redisPrefix: run,
});
const { url } = await serve(host.runtimes.get('boards')!, { port: 0 });
process.send!(url);
process.once('disconnect', () => process.exit());
