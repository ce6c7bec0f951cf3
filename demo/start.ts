import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { openServices } from '../shared/services/services.ts';
import { users } from './data/users.ts';
import { provideSecrets } from './secrets.ts';

/*
 * `npm start`: services, secrets, demo data, marketplace. `--split` runs the gateway and groups of subgraphs as processes of their own,
 * `--fresh` begins with empty stores, `--port` takes another port (0: a free one).
 */

const ROOT = join(import.meta.dirname, '..');
const DEFAULT_PORT = 4000;

const { values: options } = parseArgs({ options: { split: { type: 'boolean' }, fresh: { type: 'boolean' }, port: { type: 'string' } } });
const data = process.env['SOKO_DATA'] ?? join(ROOT, '.data');
const demoFile = join(data, 'demo.json');
const say = (line: string): void => console.log(line);
const since = performance.now();

mkdirSync(data, { recursive: true });
rmSync(demoFile, { force: true });
const services = await openServices({ dataDir: join(data, 'services'), fresh: options.fresh ?? false, log: say });
process.env['MONGODB_URI'] = services.mongodb.uri;
process.env['REDIS_URL'] = services.redis.uri;
// The lines of a demo are for a person; what goes wrong is still told.
process.env['LOG_LEVEL'] ??= 'warn';
process.env['UPLOADS_DIR'] ??= join(data, 'uploads');
provideSecrets(join(data, 'secrets.json'));

// Read only now: these modules take the environment as they find it.
const { openWholeHost, runTogether } = await import('./together.ts');
const { loadDemo } = await import('./load.ts');
const { freePort, runSplit } = await import('./split.ts');
const { announce } = await import('./announce.ts');

const port = Number(options.port ?? process.env['PORT'] ?? DEFAULT_PORT) || (await freePort());
process.env['UPLOADS_URL'] ??= `http://127.0.0.1:${port}/uploads`;
const host = await openWholeHost();
await loadDemo(host, say);
if (options.split) await host.close();
const running = options.split ? await runSplit(port) : await runTogether(host, port);

closeWithGrace({ delay: 20_000 }, async ({ err }) => {
  if (err) console.error(err);
  rmSync(demoFile, { force: true });
  await running.close();
  await services.close();
});

const accounts = Object.fromEntries(users.map(({ key, email, password }) => [key, { email, password }]));
const processes = [...running.processes, ...services.processes];
const stores = { mongodb: services.mongodb.uri, redis: services.redis.uri };
const told = { http: running.http, ws: running.ws, users: accounts, processes, services: stores };
// Written beside and renamed: whoever waits for the file never reads half of it.
writeFileSync(`${demoFile}.new`, JSON.stringify(told, null, 2));
renameSync(`${demoFile}.new`, demoFile);
announce({ http: running.http, accounts, seconds: (performance.now() - since) / 1_000 });
