import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { env, warnOfPublicSecret } from './env.ts';
import { openHost, type Host } from './host.ts';
import { httpTransport, type HttpTransport } from './http-transport.ts';
import { createLog } from './log.ts';
import { readManifest } from './manifest.ts';
import { serve, type Served } from './serve.ts';
import type { Subgraph } from './subgraph.ts';

const ROOT = join(import.meta.dirname, '..');
/** How long requests under way may take to end when the process is told to stop. */
const DRAIN_MS = 10_000;

export interface ServedHost {
  host: Host;
  served: Served[];
  close(): Promise<void>;
}

/** Who hears which event in the whole system, as composed into `schema/events.json`. */
export function readEventMap(): (type: string) => string[] {
  const map = JSON.parse(readFileSync(join(ROOT, 'schema/events.json'), 'utf8')) as Record<string, string[]>;
  return (type) => map[type] ?? [];
}

/** Opens subgraphs in this process, each listening on its own port of the manifest, and reaches all others over HTTP. */
export async function serveTogether(
  subgraphs: Subgraph[],
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<ServedHost> {
  const addresses = readManifest(ROOT, environment);
  const transports = new Map<string, HttpTransport>();
  const remote = (name: string): HttpTransport | undefined => {
    const address = addresses.find((entry) => entry.name === name);
    if (address && !transports.has(name)) transports.set(name, httpTransport(name, address.baseUrl));
    return transports.get(name);
  };
  const host = await openHost(subgraphs, {
    mongodbUri: env.MONGODB_URI,
    redisUrl: env.REDIS_URL,
    databasePrefix: env.DATABASE_PREFIX,
    queuePrefix: env.QUEUE_PREFIX,
    consumersOf: readEventMap(),
    remote,
    environment,
  });
  const served: Served[] = [];
  for (const { name } of subgraphs) {
    const port = addresses.find((entry) => entry.name === name)?.port ?? 0;
    served.push(await serve(host.runtimes.get(name)!, { port, host: env.HOST }));
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

/** The entry of a subgraph that is started directly, and of a group of them. Stops in order, letting what is under way end. */
export async function serveAlone(...subgraphs: Subgraph[]): Promise<void> {
  const log = createLog(subgraphs.map(({ name }) => name).join('+'));
  warnOfPublicSecret(log);
  const running = await serveTogether(subgraphs);
  closeWithGrace({ delay: DRAIN_MS }, async ({ err }) => {
    if (err) log.fatal({ err }, 'stopping because of an error');
    await running.close();
  });
  for (const each of running.served) log.info({ url: each.url }, 'listening');
}
