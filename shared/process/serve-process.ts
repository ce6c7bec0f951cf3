import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { provideDevelopmentSecrets } from './development-secrets.ts';
import { env, warnOfPublicSecret } from '../base/env.ts';
import { openHost, type Host } from '../runtime/host.ts';
import { readResilience } from '../transport/http-settings.ts';
import { httpTransport, type HttpTransport } from '../transport/http-transport.ts';
import { createLog } from '../base/log.ts';
import { readRoverConfig } from './rover-config.ts';
import { serve, type Served } from '../transport/server.ts';
import { untilReachable, withoutPassword } from '../services/provided.ts';
import { runStart, StartError } from '../base/start-error.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Time limit of open requests after the process receives a stop signal. */
const DRAIN_MS = 10_000;
/** Containers that start together come up in any order. */
const STORES_MS = 30_000;
const DEVELOPMENT_STORES_MS = 3_000;

export interface ServedHost {
  host: Host;
  served: Served[];
  close(): Promise<void>;
}

/** Opens subgraphs in this process, each on its own port of `rover.yaml`, and reaches all others over HTTP. */
export async function serveSubgraphs(
  subgraphs: Subgraph[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ServedHost> {
  const addresses = readRoverConfig(ROOT, environment);
  const resilience = readResilience(environment);
  const transports = new Map<string, HttpTransport>();
  const remote = (name: string): HttpTransport | undefined => {
    const address = addresses.find((entry) => entry.name === name);
    if (address && !transports.has(name)) transports.set(name, httpTransport(name, address.baseUrl, { resilience }));
    return transports.get(name);
  };
  const host = await openHost(subgraphs, {
    mongodbUri: env.MONGODB_URI,
    redisUrl: env.REDIS_URL,
    databasePrefix: env.DATABASE_PREFIX,
    redisPrefix: env.REDIS_PREFIX,
    subgraphNames: addresses.map(({ name }) => name),
    remote,
    environment,
  });
  const served: Served[] = [];
  const together = subgraphs.map(({ name }) => name);
  for (const { name } of subgraphs) {
    const port = addresses.find((entry) => entry.name === name)?.port ?? 0;
    served.push(await serve(host.runtimes.get(name)!, { port, host: env.HOST, together }));
  }
  return {
    host,
    served,
    async close() {
      await Promise.all(served.map((each) => each.close()));
      await host.close();
      await Promise.all([...transports.values()].map((transport) => transport.close()));
    },
  };
}

/** Entry point of a subgraph that is started directly, and of a group. Stops in order and finishes open requests. */
export const serveProcess = (...subgraphs: Subgraph[]): Promise<void> => runStart(() => start(subgraphs));

async function start(subgraphs: Subgraph[]): Promise<void> {
  provideDevelopmentSecrets();
  await requireStores();
  const log = createLog(subgraphs.map(({ name }) => name).join('+'));
  warnOfPublicSecret(log);
  const running = await serveSubgraphs(subgraphs);
  closeWithGrace({ delay: DRAIN_MS }, async ({ err }) => {
    if (err) log.fatal({ err }, 'stopping because of an error');
    await running.close();
  });
  for (const each of running.served) log.info({ url: each.url }, 'listening');
}

/** Ends the start with one message when a store is missing. */
export async function requireStores(): Promise<void> {
  const patienceMs = env.NODE_ENV === 'production' ? STORES_MS : DEVELOPMENT_STORES_MS;
  const isReachable = async (variable: 'MONGODB_URI' | 'REDIS_URL'): Promise<void> => {
    const source = process.env[variable] ? '' : ', its default';
    await untilReachable(variable, env[variable], patienceMs).catch(() => {
      throw new StartError(
        `Environment: ${variable}: nothing takes connections at ${withoutPassword(env[variable])}${source}. In development \`npm run services\` starts both stores and prints their addresses.`,
      );
    });
  };
  await Promise.all([isReachable('MONGODB_URI'), isReachable('REDIS_URL')]);
}
