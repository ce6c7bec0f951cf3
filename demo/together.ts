import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { watchSupergraphFile } from '../gateway/supergraph/watch-file.ts';
import { openGateway } from '../gateway/gateway.ts';
import { useRevocations } from '../gateway/plugins/use-revocations.ts';
import { gatewaySettings } from '../gateway/settings.ts';
import { env } from '#shared/base/env.ts';
import { openHost, type Host } from '#shared/runtime/host.ts';
import { createLog } from '#shared/base/log.ts';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import type { Runtime } from '#shared/runtime/runtime.ts';
import type { Subgraph } from '#shared/kit/define-subgraph.ts';
import { RouteEntries } from '#shared/kit/define-route.ts';

const ROOT = join(import.meta.dirname, '..');

export interface Running {
  http: string;
  ws: string;
  processes: { name: string; pid: number; port: number }[];
  close(): Promise<void>;
}

/** Every subgraph of `rover.yaml`, in its order. */
export function loadSubgraphs(): Promise<Subgraph[]> {
  return Promise.all(
    readRoverConfig(ROOT).map(async ({ name }) => ((await import(`../subgraphs/${name}/subgraph.ts`)) as { subgraph: Subgraph }).subgraph),
  );
}

export const openWholeHost = async (background = true): Promise<Host> =>
  openHost(await loadSubgraphs(), {
    mongodbUri: env.MONGODB_URI,
    redisUrl: env.REDIS_URL,
    databasePrefix: env.DATABASE_PREFIX,
    redisPrefix: env.REDIS_PREFIX,
    background,
  });

/** Gateway and subgraphs in this one process. */
export async function runTogether(host: Host, port: number): Promise<Running> {
  const log = createLog('gateway');
  const [anySubgraph] = [...host.runtimes.values()] as [Runtime];
  const path = join(ROOT, 'schema/supergraph.graphql');
  const supergraphSdl = readFileSync(path, 'utf8');
  const transports = Object.fromEntries(host.runtimes);
  const gateway = await openGateway({
    ...gatewaySettings(process.env, { redis: host.redis, prefix: env.REDIS_PREFIX }),
    supergraphSdl,
    transports,
    accessTokenPublicKey: env.ACCESS_TOKEN_PUBLIC_KEY!,
    routes: RouteEntries.parse(JSON.parse(readFileSync(join(ROOT, 'schema/routes.json'), 'utf8'))),
    isRevoked: useRevocations({ redis: host.redis, prefix: `${env.REDIS_PREFIX}:`, log }),
    port,
    host: env.HOST,
    // One process, one answer: without a store the subgraphs here can do nothing, so neither can it.
    checks: { mongodb: async () => (await anySubgraph.health()).mongodb, redis: async () => (await anySubgraph.health()).redis },
    log,
  });
  const reload = (changed: string): Promise<void> => gateway.reload({ supergraphSdl: changed, transports });
  const watcher = watchSupergraphFile({ path, current: supergraphSdl, reload, watches: false, log });
  return {
    http: gateway.url,
    ws: gateway.wsUrl,
    processes: [{ name: 'soko', pid: process.pid, port: gateway.port }],
    async close() {
      watcher.stop();
      await gateway.close();
      await host.close();
    },
  };
}
