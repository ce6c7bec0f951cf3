import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseEnv, withFormerNames, type EnvSource } from '#shared/base/env.ts';
import { StartError } from '#shared/base/start-error.ts';
import { createEntityStore, type EntityStoreOptions } from './cache/entity-store.ts';
import { createPersistedOperations, type PersistedOperations } from './supergraph/persisted-operations.ts';
import { Guide } from './playground/guide.ts';
import type { GatewayOptions } from './options.ts';
import { LOCALHOST } from './plugins/use-allowed-origins.ts';
import { ApiKeys } from './plugins/use-api-keys.ts';

const jsonFile = z.string().transform((path, ctx): unknown => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    ctx.addIssue({ code: 'custom', message: 'must be a file of JSON that can be read' });
    return z.NEVER;
  }
});

const isOrigin = (text: string): boolean => z.url().safeParse(text).success;

export const GatewayEnvironment = z.object({
  NODE_ENV: z.string().default('development'),
  /**
   * Origins of web pages that may call, separated by commas; `localhost` is this machine on any port. The gateway's own pages are always
   * allowed.
   */
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .transform((origins) => origins.filter(Boolean))
    .refine(
      (origins) => origins.every((origin) => origin === LOCALHOST || isOrigin(origin)),
      'must be origins such as https://shop.example.org, or localhost',
    ),
  /** Number of own proxies in front, each adding to x-forwarded-for. */
  TRUST_PROXY: z.coerce.number().int().min(0).max(10).default(0),
  /** GraphiQL at the endpoint. Default: everywhere but in production. */
  PLAYGROUND: z.stringbool().optional(),
  /** Examples, sign-in and pages of the playground, as JSON: see `playground/guide.ts`. */
  PLAYGROUND_GUIDE: jsonFile.pipe(Guide).optional(),
  /** API keys as JSON: a list of `{ name, sha256, contract, introspection }`. */
  API_KEYS_FILE: jsonFile.pipe(ApiKeys).optional(),
  /** Refuses requests without an API key. */
  REQUIRE_API_KEY: z.stringbool().default(false),
  /** Manifest of operations that are planned at the start and may be requested by their hash: see `supergraph/persisted-operations.ts`. */
  PERSISTED_OPERATIONS_FILE: z.string().optional(),
  /** Refuses every operation that the manifest does not list. */
  PERSISTED_OPERATIONS_ONLY: z.stringbool().default(false),
  /** File that keeps their plans between restarts. */
  QUERY_PLANS_FILE: z.string().optional(),
  /** Equal work in flight that runs once: `operations`, `fetches`, `entities`, separated by commas; or `none`. */
  SINGLE_FLIGHT: z
    .string()
    .default('operations,fetches')
    .transform((text) => text.split(',').map((level) => level.trim()))
    .transform((levels) => levels.filter((level) => level !== 'none'))
    .pipe(z.array(z.enum(['operations', 'fetches', 'entities']))),
  /** `off` fetches entities from their subgraphs each time. */
  ENTITY_CACHE: z.enum(['on', 'off']).default('on'),
  /** Operations that run at a time, and that may wait; further ones are refused. */
  OPERATIONS_AT_ONCE: z.coerce.number().int().min(1).max(100_000).default(1_000),
  OPERATIONS_WAITING: z.coerce.number().int().min(0).max(100_000).default(2_000),
  /** How long an operation may wait. */
  LONGEST_WAIT_MS: z.coerce.number().int().min(1).max(60_000).default(2_000),
  /** Open sockets per address; behind proxies see TRUST_PROXY. */
  SOCKETS_PER_ADDRESS: z.coerce.number().int().min(1).max(1_000_000).default(10_000),
  /** Open sockets per viewer. */
  SOCKETS_PER_VIEWER: z.coerce.number().int().min(1).max(1_000_000).default(100),
  /** `apollo` runs everything on @apollo/gateway's executor, the reference. */
  GATEWAY_ENGINE: z.enum(['soko', 'apollo']).default('soko'),
});

/** New names of variables, each with its old one. */
const RENAMED = {
  PERSISTED_OPERATIONS_FILE: 'OPERATIONS_FILE',
  PERSISTED_OPERATIONS_ONLY: 'ONLY_KNOWN_OPERATIONS',
  QUERY_PLANS_FILE: 'PLANS_FILE',
};

const Settings = withFormerNames(
  GatewayEnvironment.refine(({ REQUIRE_API_KEY, API_KEYS_FILE }) => !REQUIRE_API_KEY || API_KEYS_FILE, {
    path: ['REQUIRE_API_KEY'],
    message: 'nobody has one without API_KEYS_FILE',
  }),
  RENAMED,
);

type FromEnvironment = Pick<
  GatewayOptions,
  | 'corsOrigins'
  | 'trustedProxies'
  | 'production'
  | 'playground'
  | 'guide'
  | 'keys'
  | 'requiresKey'
  | 'openEngine'
  | 'planning'
  | 'persistedOperations'
  | 'queryPlansFile'
  | 'dedupe'
  | 'entityStore'
  | 'admission'
  | 'sockets'
>;

/** Reads the gateway's options from the environment. `cache` is the store of cached entities, if there is one. */
export function gatewaySettings(environment: EnvSource, cache?: EntityStoreOptions): FromEnvironment {
  const settings = parseEnv(Settings, environment);
  const {
    NODE_ENV,
    CORS_ORIGINS,
    TRUST_PROXY,
    PLAYGROUND,
    PLAYGROUND_GUIDE: guide,
    API_KEYS_FILE: keys,
    REQUIRE_API_KEY: requiresKey,
    GATEWAY_ENGINE,
    PERSISTED_OPERATIONS_FILE,
    PERSISTED_OPERATIONS_ONLY: persistedOnly,
    QUERY_PLANS_FILE,
    SINGLE_FLIGHT,
    ENTITY_CACHE,
  } = settings;
  const production = NODE_ENV === 'production';
  const shared = {
    corsOrigins: CORS_ORIGINS,
    trustedProxies: TRUST_PROXY,
    production,
    playground: PLAYGROUND ?? !production,
    ...(guide && { guide }),
    dedupe: {
      operations: SINGLE_FLIGHT.includes('operations'),
      fetches: SINGLE_FLIGHT.includes('fetches'),
      entities: SINGLE_FLIGHT.includes('entities'),
    },
    persistedOperations: readPersistedOperations(PERSISTED_OPERATIONS_FILE, persistedOnly),
    admission: {
      atOnce: settings.OPERATIONS_AT_ONCE,
      waiting: settings.OPERATIONS_WAITING,
      maxWaitMs: settings.LONGEST_WAIT_MS,
    },
    sockets: { perAddress: settings.SOCKETS_PER_ADDRESS, perViewer: settings.SOCKETS_PER_VIEWER },
    ...(keys && { keys, requiresKey }),
    ...(QUERY_PLANS_FILE && { queryPlansFile: QUERY_PLANS_FILE }),
    ...(cache && ENTITY_CACHE === 'on' && { entityStore: createEntityStore(cache) }),
  };
  return GATEWAY_ENGINE === 'soko' ? { ...shared, planning: 'worker' } : { ...shared, planning: 'in-process', openEngine: openReference };
}

function readPersistedOperations(file: string | undefined, persistedOnly: boolean): PersistedOperations {
  if (file === undefined) return createPersistedOperations({ persistedOnly });
  try {
    return createPersistedOperations({ manifest: JSON.parse(readFileSync(file, 'utf8')), persistedOnly });
  } catch (error) {
    throw new StartError(`Environment: PERSISTED_OPERATIONS_FILE: ${(error as Error).message}`, { cause: error });
  }
}

/** Loaded on use: it costs memory that no other gateway needs. */
const openReference: GatewayOptions['openEngine'] = async (options) =>
  (await import('./apollo/apollo-engine.ts')).openApolloEngine(options);
