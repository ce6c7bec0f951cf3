import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import closeWithGrace from 'close-with-grace';
import { Redis } from 'ioredis';
import { provideDevelopmentSecrets } from '#shared/process/development-secrets.ts';
import { env, warnOfPublicSecret } from '#shared/base/env.ts';
import { readResilience } from '#shared/transport/http-settings.ts';
import { httpTransport } from '#shared/transport/http-transport.ts';
import { createLog } from '#shared/base/log.ts';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import { exitWithParent } from '#shared/process/exit-with-parent.ts';
import { runStart, StartError } from '#shared/base/start-error.ts';
import { RouteEntries } from '#shared/kit/define-route.ts';
import { watchSupergraphFile } from './supergraph/watch-file.ts';
import { openGateway } from './gateway.ts';
import { useRevocations } from './plugins/use-revocations.ts';
import { gatewaySettings } from './settings.ts';

const ROOT = join(import.meta.dirname, '..');
const DEFAULT_PORT = 4000;
/** How long requests in flight may take when the process is told to stop. */
const DRAIN_MS = 10_000;
const REDIS_PATIENCE_MS = 1_000;

/** The gateway as a process of its own. It reaches every subgraph of rover.yaml over HTTP. */
async function main(): Promise<void> {
  exitWithParent();
  provideDevelopmentSecrets();
  const log = createLog('gateway');
  if (!env.ACCESS_TOKEN_PUBLIC_KEY) throw new StartError('Environment: ACCESS_TOKEN_PUBLIC_KEY: must be set, as a PEM');
  warnOfPublicSecret(log);
  const resilience = readResilience();
  const transports = Object.fromEntries(
    readRoverConfig(ROOT).map(({ name, baseUrl }) => [name, httpTransport(name, baseUrl, { resilience })]),
  );
  const redis = new Redis(env.REDIS_URL, { commandTimeout: REDIS_PATIENCE_MS, maxRetriesPerRequest: 1 });
  redis.on('error', (error) => log.warn({ err: error }, 'Redis cannot be reached; it will be tried again'));

  const path = join(ROOT, 'schema/supergraph.graphql');
  const supergraphSdl = readFileSync(path, 'utf8');
  const gateway = await openGateway({
    ...gatewaySettings(process.env, { redis, prefix: env.REDIS_PREFIX }),
    supergraphSdl,
    transports,
    accessTokenPublicKey: env.ACCESS_TOKEN_PUBLIC_KEY,
    port: env.PORT ?? DEFAULT_PORT,
    host: env.HOST,
    routes: RouteEntries.parse(JSON.parse(readFileSync(join(ROOT, 'schema/routes.json'), 'utf8'))),
    isRevoked: useRevocations({ redis, prefix: `${env.REDIS_PREFIX}:`, log }),
    checks: { redis: async () => ((await redis.ping()) === 'PONG' ? 'up' : 'down') },
    log,
  });
  const reload = (changed: string): Promise<void> => gateway.reload({ supergraphSdl: changed, transports });
  const watcher = watchSupergraphFile({ path, current: supergraphSdl, reload, watches: false, log });
  closeWithGrace({ delay: DRAIN_MS, skip: ['SIGHUP'] }, async ({ err }) => {
    if (err) log.fatal({ err }, 'stopping because of an error');
    watcher.stop();
    await gateway.close();
    await Promise.all(Object.values(transports).map((transport) => transport.close()));
    redis.disconnect();
  });
  log.info({ url: gateway.url }, 'listening');
}

if (import.meta.main) await runStart(main);
