import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import type { Redis } from 'ioredis';
import { logSettings, parseEnv, type EnvSource } from '#shared/base/env.ts';
import type { HttpTransportOptions } from '#shared/transport/http-transport.ts';
import { createLog, type Log } from '#shared/base/log.ts';
import { openExternalSubgraphs } from './supergraph/external-subgraphs.ts';
import { openGateway } from './gateway.ts';
import type { Limits } from './plugins/use-limits.ts';
import { watchSupergraphFile } from './supergraph/watch-file.ts';
import { LOCALHOST } from './plugins/use-allowed-origins.ts';
import { LIMITS, ServeEnvironment } from './serve-settings.ts';
import { gatewaySettings } from './settings.ts';
import type { SubgraphErrors } from './engine/subgraph-errors.ts';

/*
 * `npm run gateway -- --supergraph FILE`: a gateway for any composed supergraph, without database, and without Redis unless `--cache` names
 * one. Clients send an API key of API_KEYS_FILE, a token of ACCESS_TOKEN_PUBLIC_KEY, or both; `--open` ignores both.
 */

const DRAIN_MS = 10_000;
const REDIS_PATIENCE_MS = 1_000;
/** Prefix of every Redis key. A process that changes an entity bumps its tag version there: see `shared/cache/cache-tags.ts`. */
const PREFIX = 'soko';
const USAGE =
  'npm run gateway -- --supergraph FILE [--port N] [--open] [--forward-headers NAME,NAME] [--expose-errors] [--cache REDIS_URL]';

interface Options {
  limits: Limits;
  file: string;
  port: number;
  host: string;
  /** No API keys, and every caller may read the schema. */
  isOpen: boolean;
  /** `null`: every caller is anonymous. */
  accessTokenPublicKey: string | null;
  forwardHeaders: string[];
  subgraphErrors: SubgraphErrors;
  timeoutMs: number;
  subgraphLimits: Pick<HttpTransportOptions, 'connections' | 'callerSockets' | 'connectTimeoutMs' | 'maxResponseBytes'>;
  /** A Redis for entities that `@cacheControl` calls public. */
  cache: string | undefined;
}

async function main({ file, isOpen, cache, subgraphLimits, ...options }: Options): Promise<void> {
  const log = createLog('gateway');
  const subgraphs = openExternalSubgraphs({ log, timeoutMs: options.timeoutMs, ...subgraphLimits });
  const supergraphSdl = readSupergraph(file);
  const served = readable(file, () => subgraphs.of(supergraphSdl));
  const redis = cache === undefined ? undefined : await openRedis(cache, log);
  const gateway = await openGateway({
    ...gatewaySettings(isOpen ? openEnvironment() : closedEnvironment(), redis && { redis, prefix: PREFIX }),
    ...served,
    ...options,
    scalars: {},
    log,
  });
  const reload = (changed: string): Promise<void> => subgraphs.reload(gateway, changed);
  const watcher = watchSupergraphFile({ path: file, current: supergraphSdl, reload, watches: true, log });
  closeWithGrace({ delay: DRAIN_MS, skip: ['SIGHUP'] }, async ({ err }) => {
    if (err) log.fatal({ err }, 'stopping because of an error');
    watcher.stop();
    await gateway.close();
    await subgraphs.close();
    redis?.disconnect();
  });
  log.info({ url: gateway.url }, 'listening');
}

const openEnvironment = (): EnvSource => ({
  CORS_ORIGINS: LOCALHOST,
  ...process.env,
  NODE_ENV: 'development',
  API_KEYS_FILE: undefined,
  REQUIRE_API_KEY: undefined,
});

/** API_KEYS_FILE makes keys mandatory, unless REQUIRE_API_KEY says otherwise. */
function closedEnvironment(): EnvSource {
  const { API_KEYS_FILE: keys, REQUIRE_API_KEY: isRequired } = process.env;
  return { ...process.env, NODE_ENV: 'production', REQUIRE_API_KEY: isRequired || (keys && 'true') };
}

/** The client is loaded only when it is used. */
async function openRedis(url: string, log: Log): Promise<Redis> {
  const { Redis } = await import('ioredis');
  const redis = new Redis(url, { commandTimeout: REDIS_PATIENCE_MS, maxRetriesPerRequest: 1 });
  redis.on('error', (error) => log.warn({ err: error }, 'Redis cannot be reached; it will be tried again'));
  return redis;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      supergraph: { type: 'string' },
      port: { type: 'string' },
      open: { type: 'boolean', default: false },
      'forward-headers': { type: 'string' },
      'expose-errors': { type: 'boolean' },
      cache: { type: 'string' },
    },
  });
  const { supergraph: file, port, open } = values;
  if (file === undefined) throw new Error(`Name the file of a composed supergraph: ${USAGE}`);
  const environment = parseEnv(ServeEnvironment.extend(logSettings.shape), { ...process.env, ...(port !== undefined && { PORT: port }) });
  const { ACCESS_TOKEN_PUBLIC_KEY: tokenKey, API_KEYS_FILE: keys, PORT, HOST, MAX_EXPANDED_FIELDS: expanded } = environment;
  if (!open && tokenKey === undefined && keys === undefined)
    throw new Error('Set ACCESS_TOKEN_PUBLIC_KEY, a PEM, or API_KEYS_FILE to say who may ask; or start with --open.');
  const accessTokenPublicKey = open || tokenKey === undefined ? null : tokenKey;
  // Without viewers, authorization is up to the subgraphs.
  const forwarded = values['forward-headers'] ?? (accessTokenPublicKey === null ? 'authorization' : '');
  return {
    file: resolve(file),
    port: PORT,
    host: HOST,
    isOpen: open,
    accessTokenPublicKey,
    forwardHeaders: headerNames(forwarded),
    subgraphErrors: (values['expose-errors'] ?? environment.EXPOSE_ERRORS ?? open) ? 'exposed' : 'named',
    timeoutMs: environment.REQUEST_TIMEOUT_MS,
    subgraphLimits: {
      connections: environment.SUBGRAPH_CONNECTIONS,
      callerSockets: environment.SUBGRAPH_SOCKETS,
      connectTimeoutMs: environment.SUBGRAPH_CONNECT_TIMEOUT_MS,
      maxResponseBytes: environment.SUBGRAPH_ANSWER_BYTES,
    },
    cache: values.cache,
    limits: { ...LIMITS, expanded },
  };
}

/** Headers of a single connection or body cannot be propagated. */
const OWN_HEADERS = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

function headerNames(list: string): string[] {
  const names = list
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean);
  const wrong = names.find((name) => !/^[\w-]+$/.test(name) || OWN_HEADERS.has(name.toLowerCase()));
  if (wrong !== undefined)
    throw new Error(`--forward-headers takes names of headers that can be handed on, each by itself: not "${wrong}".`);
  return names;
}

function readSupergraph(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'There is no file' : 'Nothing can be read at';
    throw new Error(`${why} ${file}. --supergraph names the file of a composed supergraph.`, { cause: error });
  }
}

function readable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${file} is no composed supergraph: ${(error as Error).message}`, { cause: error });
  }
}

/** An operator can fix these errors: one line, without a stack trace. */
function giveUp(error: unknown): never {
  console.error(`The gateway cannot start: ${(error as Error).message.split('\n', 1)[0]}`);
  process.exit(1);
}

try {
  await main(readOptions());
} catch (error) {
  giveUp(error);
}
