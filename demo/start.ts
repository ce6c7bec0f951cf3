import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { openServices, type Services } from '../shared/services/services.ts';
import { users } from './data/users.ts';
import { loadingMishap, openingMishap, placeOf } from './mishaps.ts';
import { takePort } from './ports.ts';
import { provideSecrets } from './secrets.ts';
import type { Running } from './together.ts';

/*
 * `npm start`: services, secrets, demo data, marketplace. `--split` runs the gateway and groups of subgraphs as processes of their own,
 * `--fresh` begins with empty stores, `--port` takes another port (0: a free one).
 */

const ROOT = join(import.meta.dirname, '..');
const DEFAULT_PORT = 4000;
const STOP_MS = 20_000;
const TELL_MS = 500;

const options = readOptions();
const data = process.env['SOKO_DATA'] ?? join(ROOT, '.data');
const demoFile = join(data, 'demo.json');
const say = (line: string): void => console.log(line);
const since = performance.now();

const opened: { market?: Running; telling?: NodeJS.Timeout } = {};
// Before there is anything to close in order, the process just ends: the services it started end with it.
// On SIGHUP the gateway looks for another supergraph.
closeWithGrace({ delay: STOP_MS, skip: ['SIGHUP'] }, async ({ err }) => {
  if (err) console.error(err);
  if (!opened.market) return;
  clearInterval(opened.telling);
  rmSync(demoFile, { force: true });
  await opened.market.close();
  await services.close();
});

const port = await takePort(options.port ?? process.env['PORT'] ?? String(DEFAULT_PORT)).catch(giveUp);
mkdirSync(data, { recursive: true });
const services = await openServices({ dataDir: join(data, 'services'), fresh: options.fresh ?? false, log: say }).catch(giveUp);
// Only the owner of the folder may take away what it says: another start may have been refused it.
rmSync(demoFile, { force: true });
process.env['MONGODB_URI'] = services.mongodb.uri;
process.env['REDIS_URL'] = services.redis.uri;
// The lines of a demo are for a person; what goes wrong is still told.
process.env['LOG_LEVEL'] ??= 'warn';
process.env['UPLOADS_DIR'] ??= join(data, 'uploads');
process.env['UPLOADS_URL'] ??= `http://127.0.0.1:${port}/uploads`;
provideSecrets(join(data, 'secrets.json'));

// Read only now: these modules take the environment as they find it.
const { openWholeHost, runTogether } = await import('./together.ts');
const { loadDemo } = await import('./load.ts');
const { runSplit } = await import('./split.ts');
const { announce } = await import('./announce.ts');

const place = placeOf(data, services.mongodb);
const host = await openWholeHost().catch((error) => giveUp(openingMishap(error, place)));
await loadDemo(host, { databasePrefix: process.env['DATABASE_PREFIX'] ?? '', say }).catch((error) => giveUp(loadingMishap(error, place)));
if (options.split) await host.close();
const open = options.split ? await runSplit(port) : await runTogether(host, port);
opened.market = open;

const accounts = Object.fromEntries(users.map(({ key, email, password }) => [key, { email, password }]));
const stores = { mongodb: services.mongodb.uri, redis: services.redis.uri };
let told = '';
tell(open, services);
// What dies is started again, and has another process id then.
opened.telling = setInterval(tell, TELL_MS, open, services).unref();
announce({ http: open.http, accounts, seconds: (performance.now() - since) / 1_000 });

/** Says in demo.json where everything is, as it is now. */
function tell({ http, ws, processes }: Running, { processes: stored }: Services): void {
  const text = JSON.stringify({ http, ws, users: accounts, processes: [...processes, ...stored], services: stores }, null, 2);
  if (text === told) return;
  told = text;
  // Written beside and renamed: whoever waits for the file never reads half of it.
  writeFileSync(`${demoFile}.new`, text);
  renameSync(`${demoFile}.new`, demoFile);
}

function readOptions(): { split?: boolean; fresh?: boolean; port?: string } {
  try {
    return parseArgs({ options: { split: { type: 'boolean' }, fresh: { type: 'boolean' }, port: { type: 'string' } } }).values;
  } catch (error) {
    return giveUp(error as Error);
  }
}

/** What the person at the keyboard can set right needs one line; LOG_LEVEL=debug shows what lies behind it. */
function giveUp({ message, cause }: Error): never {
  console.error(message);
  if (cause && process.env['LOG_LEVEL'] === 'debug') console.error(cause);
  process.exit(1);
}
