import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { openDataFolder } from '#shared/base/data-folder.ts';
import { provideSecrets } from '#shared/process/development-secrets.ts';
import { openServices, type Services } from '#shared/services/services.ts';
import { runStart, StartError } from '#shared/base/start-error.ts';
import { users } from './data/users.ts';
import { loadingError, openingError, placeOf } from './startup-errors.ts';
import { writeGuide } from './playground.ts';
import { takePort } from './ports.ts';
import type { Running } from './together.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';

/*
 * `npm start`: services, secrets, demo data, marketplace. `--split` runs the gateway and groups of subgraphs as processes of their own,
 * `--fresh` begins with empty stores, `--port` takes another port (0: a free one), `--sandbox` takes third parties from the sandbox.
 */

const DEFAULT_PORT = 4000;
const STOP_MS = 20_000;
const TELL_MS = 500;

const since = performance.now();
const say = (line: string): void => console.log(line);
const accounts = Object.fromEntries(users.map(({ key, email, password }) => [key, { email, password }]));
const opened: { market?: Running; services?: Services; sandbox?: Sandbox; telling?: NodeJS.Timeout; demoFile?: string } = {};

// Before there is anything to close in order, the process just ends: the services it started end with it.
// On SIGHUP the gateway looks for another supergraph.
closeWithGrace({ delay: STOP_MS, skip: ['SIGHUP'] }, async ({ err }) => {
  if (err) console.error(err);
  const { market, services, sandbox, telling, demoFile } = opened;
  if (!market) return;
  clearInterval(telling);
  rmSync(demoFile!, { force: true });
  await market.close();
  await sandbox?.close();
  await services?.close();
});

await runStart(async () => {
  if (process.env['NODE_ENV'] === 'production')
    throw new StartError('npm start opens a demo with public passwords, so it refuses NODE_ENV=production. See docker-compose.yml.');
  const options = readOptions();
  const port = await takePort(options.port ?? (process.env['PORT'] || String(DEFAULT_PORT))).catch(giveUp);
  const data = openDataFolder();
  const services = await openServices({ dataDir: join(data, 'services'), fresh: options.fresh ?? false, log: say }).catch(giveUp);
  // Only the owner of the folder may take away what it says: another start may have been refused it.
  const demoFile = join(data, 'demo.json');
  rmSync(demoFile, { force: true });
  setEnvironment({ data, port, services });
  if (options.sandbox) opened.sandbox = await startSandbox();
  const market = await openMarket({ data, port, services, isSplit: options.split ?? false });
  Object.assign(opened, { market, services, demoFile });
  const tell = demoFileWriter(demoFile, services);
  tell(market);
  // What dies is started again, and has another process id then.
  opened.telling = setInterval(tell, TELL_MS, market).unref();
  const { announce } = await import('./announce.ts');
  announce({ http: market.http, accounts, seconds: (performance.now() - since) / 1_000 });
});

/** Third parties that are not real: every part, also those in processes of their own, finds them by the environment. */
async function startSandbox(): Promise<Sandbox> {
  const { openSandbox } = await import('../sandbox/sandbox.ts');
  const sandbox = await openSandbox();
  process.env['SANDBOX_URL'] = sandbox.url;
  say(`Third parties are those of the sandbox. What they receive, mails too: ${sandbox.url}`);
  return sandbox;
}

interface Opening {
  data: string;
  port: number;
  services: Services;
}

function setEnvironment({ data, port, services }: Opening): void {
  const { env } = process;
  env['MONGODB_URI'] = services.mongodb.uri;
  env['REDIS_URL'] = services.redis.uri;
  // The lines of a demo are for a person; what goes wrong is still told.
  env['LOG_LEVEL'] ||= 'warn';
  env['UPLOADS_DIR'] ||= join(data, 'uploads');
  env['UPLOADS_URL'] ||= `http://127.0.0.1:${port}/uploads`;
  env['PUBLIC_URL'] ||= `http://127.0.0.1:${port}`;
  env['CORS_ORIGINS'] ||= 'localhost';
  env['PLAYGROUND_GUIDE'] ||= writeGuide(data);
  provideSecrets(join(data, 'secrets.json'));
}

async function openMarket({ data, port, services, isSplit }: Opening & { isSplit: boolean }): Promise<Running> {
  // Read only now: these modules take the environment as they find it.
  const { openWholeHost, runTogether } = await import('./together.ts');
  const { loadDemo, refuseForeignData } = await import('./load.ts');
  const databasePrefix = process.env['DATABASE_PREFIX'] ?? '';
  // A store that this start runs itself holds nothing but the demo.
  if (services.mongodb.provided) await refuseForeignData(services.mongodb.uri, databasePrefix);
  const place = placeOf(data, services.mongodb);
  const host = await openWholeHost().catch((error) => giveUp(openingError(error, place)));
  await loadDemo(host, { databasePrefix, say }).catch((error) => giveUp(loadingError(error, place)));
  if (!isSplit) return runTogether(host, port);
  await host.close();
  const { runSplit } = await import('./split.ts');
  return runSplit(port);
}

/** Says in demo.json where everything is, as it is now. */
function demoFileWriter(demoFile: string, services: Services): (market: Running) => void {
  const stores = { mongodb: services.mongodb.uri, redis: services.redis.uri };
  let told = '';
  return ({ http, ws, processes }) => {
    const text = JSON.stringify({ http, ws, users: accounts, processes: [...processes, ...services.processes], services: stores }, null, 2);
    if (text === told) return;
    told = text;
    // Written beside and renamed: whoever waits for the file never reads half of it.
    writeFileSync(`${demoFile}.new`, text);
    renameSync(`${demoFile}.new`, demoFile);
  };
}

function readOptions(): { split?: boolean; fresh?: boolean; sandbox?: boolean; port?: string } {
  try {
    return parseArgs({
      options: { split: { type: 'boolean' }, fresh: { type: 'boolean' }, sandbox: { type: 'boolean' }, port: { type: 'string' } },
    }).values;
  } catch (error) {
    return giveUp(error as Error);
  }
}

/** What the person at the keyboard can set right needs one line; LOG_LEVEL=debug shows what lies behind it. */
function giveUp(error: Error): never {
  throw error instanceof StartError ? error : new StartError(error.message, { cause: error });
}
