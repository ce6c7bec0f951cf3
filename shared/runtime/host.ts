import { Redis } from 'ioredis';
import { createAdmission } from '../base/admission.ts';
import { readAdmissionLimits } from '../base/admission-settings.ts';
import { dataKeys } from '../base/data-keys.ts';
import { createLive } from '../live/live.ts';
import { env } from '../base/env.ts';
import { createLog } from '../base/log.ts';
import { newHolderId } from '../store/lease-holder.ts';
import { createConsumerRegistry } from '../messaging/consumers.ts';
import { createQueues } from '../messaging/queues.ts';
import { createTemplateRegistry } from '../templates/registry.ts';
import { createHostSettings } from './host-settings.ts';
import { openRuntime, type Runtime, type HostServices } from './runtime.ts';
import { withoutPassword } from '../services/provided.ts';
import { StartError } from '../base/start-error.ts';
import { probeStore } from '../store/store-probe.ts';
import { connectMongo } from '../store/mongo.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import type { CommandTransport } from '../kit/transport.ts';
import { unavailable } from '../base/errors.ts';

export interface HostOptions {
  mongodbUri: string;
  redisUrl: string;
  /** Prefix of the database names; empty in production, unique in each test. */
  databasePrefix?: string;
  /** Prefix of every Redis key. */
  redisPrefix?: string;
  now?: () => Date;
  /** Names of all subgraphs of the system. Default: those of this process. */
  subgraphNames?: readonly string[];
  /** How a subgraph of another process is reached. */
  remote?: (name: string) => CommandTransport | undefined;
  background?: boolean;
  /** Replacements of providers, by subgraph. */
  providers?: Record<string, object>;
  environment?: Readonly<Record<string, string | undefined>>;
  /** True: the client reports each command it sends; for measurements. */
  monitorCommands?: boolean;
  /** Receives the store's client before the first command. */
  onClient?: (client: ReturnType<HostServices['client']['getClient']>) => void;
}

/** Several subgraphs in one process, sharing its connections. Commands between them stay in the process. */
export interface Host {
  runtimes: Map<string, Runtime>;
  redis: Redis;
  client: HostServices['client'];
  queues: HostServices['queues'];
  live: HostServices['live'];
  settings: HostServices['settings'];
  templates: HostServices['templates'];
  now(): Date;
  close(): Promise<void>;
}

/** What the subgraphs of a system know of each other. */
export const KIT_DATABASE = 'kit';
/** Commands fail after this long when Redis is gone, instead of blocking their callers. */
const COMMAND_TIMEOUT_MS = 5_000;

/** Opens subgraphs side by side; everything is closed again when one of them cannot be opened. */
export async function openHost(subgraphs: Subgraph[], options: HostOptions): Promise<Host> {
  const { redisPrefix = 'soko', databasePrefix = '', now = () => new Date(), background = true, environment = process.env } = options;
  // A wrong key is told at the start, not at the first secret.
  dataKeys();
  const log = createLog('soko');
  const openRedis = (settings: object = {}): Redis => {
    const redis = new Redis(options.redisUrl, { commandTimeout: COMMAND_TIMEOUT_MS, maxRetriesPerRequest: 2, ...settings });
    redis.on('error', (error) => log.warn({ err: error }, 'Redis cannot be reached; it will be tried again'));
    return redis;
  };
  const client = await connectMongo(options.mongodbUri, { monitorCommands: options.monitorCommands ?? false }).catch((error: Error) => {
    const isGone = error.name === 'MongooseServerSelectionError';
    throw isGone ? new StartError(`MONGODB_URI: no store answers at ${withoutPassword(options.mongodbUri)}.`, { cause: error }) : error;
  });
  try {
    await probeStore(client, env.DATABASE_PREFIX);
  } catch (error) {
    await client.close();
    throw error;
  }
  options.onClient?.(client.getClient());
  const redis = openRedis();
  // Blocking reads have no time limit.
  const workerConnection = openRedis({ commandTimeout: undefined, maxRetriesPerRequest: null });
  const queues = createQueues(redis, redisPrefix);
  const live = createLive(() => openRedis({ maxRetriesPerRequest: null }), { prefix: redisPrefix });
  const runtimes = new Map<string, Runtime>();

  const kitDatabase = client.useDb(`${databasePrefix}${KIT_DATABASE}`, { useCache: false });
  const registry = createConsumerRegistry(kitDatabase, { redis, prefix: redisPrefix });
  const templates = createTemplateRegistry(kitDatabase);

  const peer = (name: string): CommandTransport => {
    const found = runtimes.get(name) ?? options.remote?.(name);
    if (!found) throw unavailable(name);
    return found;
  };
  const settings = createHostSettings({ subgraphs, redis, redisPrefix, log, peer });

  const services: HostServices = {
    client,
    redis,
    workerConnection,
    queues,
    live,
    holder: newHolderId(),
    log,
    databasePrefix,
    redisPrefix,
    now,
    subgraphNames: options.subgraphNames ?? subgraphs.map(({ name }) => name),
    registry,
    templates,
    peer,
    settings: settings.client,
    background,
    environment,
    admission: createAdmission(readAdmissionLimits(environment).process),
  };

  const notifications = openRedis();
  notifications.on('message', (channel: string) => {
    if (channel === registry.channel) registry.forget();
    if (channel === settings.channel) void settings.client.refresh();
    for (const runtime of runtimes.values()) if (runtime.relay.notifyChannel === channel) void runtime.relay.flush();
  });

  async function close(): Promise<void> {
    await settings.stop();
    await Promise.all([...runtimes.values()].map((runtime) => runtime.close()));
    registry.close();
    await live.close();
    await queues.close();
    for (const connection of [notifications, workerConnection, redis]) connection.disconnect();
    await client.close();
  }

  try {
    await Promise.all([registry.prepare(), templates.prepare()]);
    const opening = await Promise.allSettled(
      subgraphs.map(async (subgraph) =>
        runtimes.set(subgraph.name, await openRuntime(subgraph, services, options.providers?.[subgraph.name])),
      ),
    );
    for (const result of opening) if (result.status === 'rejected') throw result.reason;
    if (background) {
      await Promise.all([...runtimes.values()].map((runtime) => runtime.start()));
      const channels = [...runtimes.values()].map(({ relay }) => relay.notifyChannel);
      await notifications.subscribe(registry.channel, settings.channel, ...channels);
      await settings.start();
    }
  } catch (error) {
    await close();
    throw error;
  }
  return { runtimes, redis, client, queues, live, settings: settings.client, templates, now, close };
}
