import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseEnv, type EnvSource } from '#shared/base/env.ts';
import { StartError } from '#shared/base/start-error.ts';
import { createEntityStore, type EntityStoreOptions } from './cache/entity-store.ts';
import { knownOperations, type KnownOperations } from './supergraph/persisted-operations.ts';
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
  /** Origins of the web pages that may call, separated by commas; `localhost` is this machine on any port. The gateway's own pages may always. */
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .transform((origins) => origins.filter(Boolean))
    .refine(
      (origins) => origins.every((origin) => origin === LOCALHOST || isOrigin(origin)),
      'must be origins such as https://shop.example.org, or localhost',
    ),
  /** How many proxies of our own stand in front, each adding to x-forwarded-for. */
  TRUST_PROXY: z.coerce.number().int().min(0).max(10).default(0),
  /** GraphiQL at the endpoint; by default everywhere but in production. */
  PLAYGROUND: z.stringbool().optional(),
  /** Examples, sign-in and pages of the playground, as JSON: see `playground/guide.ts`. */
  PLAYGROUND_GUIDE: jsonFile.pipe(Guide).optional(),
  /** Who has which key, as JSON: a list of `{ name, sha256, contract, introspection }`. */
  API_KEYS_FILE: jsonFile.pipe(ApiKeys).optional(),
  /** Who has none of them is refused. */
  REQUIRE_API_KEY: z.stringbool().default(false),
  /** A manifest of operations (`known.ts`): they are planned at the start, and may be asked by their hash. */
  OPERATIONS_FILE: z.string().optional(),
  /** Every other operation is refused. */
  ONLY_KNOWN_OPERATIONS: z.stringbool().default(false),
  /** Where their plans are kept. */
  PLANS_FILE: z.string().optional(),
  /** Equal work of several callers that is done once: `operations`, `fetches`, `entities`, separated by commas; or `none`. */
  SINGLE_FLIGHT: z
    .string()
    .default('operations,fetches')
    .transform((text) => text.split(',').map((level) => level.trim()))
    .transform((levels) => levels.filter((level) => level !== 'none'))
    .pipe(z.array(z.enum(['operations', 'fetches', 'entities']))),
  /** Off: entities are asked of their subgraphs each time. */
  ENTITY_CACHE: z.enum(['on', 'off']).default('on'),
  /** Operations that run at a time, and those that may wait for that; beyond them new ones are refused. */
  OPERATIONS_AT_ONCE: z.coerce.number().int().min(1).max(100_000).default(1_000),
  OPERATIONS_WAITING: z.coerce.number().int().min(0).max(100_000).default(2_000),
  /** How long one may wait. */
  LONGEST_WAIT_MS: z.coerce.number().int().min(1).max(60_000).default(2_000),
  /** Sockets that one address may have open at a time; behind proxies see TRUST_PROXY. */
  SOCKETS_PER_ADDRESS: z.coerce.number().int().min(1).max(1_000_000).default(10_000),
  /** The same of one viewer. */
  SOCKETS_PER_VIEWER: z.coerce.number().int().min(1).max(1_000_000).default(100),
  /** `apollo` runs everything on @apollo/gateway's executor instead: the reference. */
  GATEWAY_ENGINE: z.enum(['soko', 'apollo']).default('soko'),
});

const Settings = GatewayEnvironment.refine(({ REQUIRE_API_KEY, API_KEYS_FILE }) => !REQUIRE_API_KEY || API_KEYS_FILE, {
  path: ['REQUIRE_API_KEY'],
  message: 'nobody has one without API_KEYS_FILE',
});

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
  | 'known'
  | 'plansFile'
  | 'sharing'
  | 'entityStore'
  | 'admission'
  | 'sockets'
>;

/** What the environment says about the gateway, for whatever process it runs in. `cache` is where entities can be kept, if anywhere. */
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
    OPERATIONS_FILE,
    ONLY_KNOWN_OPERATIONS: only,
    PLANS_FILE,
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
    sharing: {
      operations: SINGLE_FLIGHT.includes('operations'),
      fetches: SINGLE_FLIGHT.includes('fetches'),
      entities: SINGLE_FLIGHT.includes('entities'),
    },
    known: readKnown(OPERATIONS_FILE, only),
    admission: {
      atOnce: settings.OPERATIONS_AT_ONCE,
      waiting: settings.OPERATIONS_WAITING,
      maxWaitMs: settings.LONGEST_WAIT_MS,
    },
    sockets: { perAddress: settings.SOCKETS_PER_ADDRESS, perViewer: settings.SOCKETS_PER_VIEWER },
    ...(keys && { keys, requiresKey }),
    ...(PLANS_FILE && { plansFile: PLANS_FILE }),
    ...(cache && ENTITY_CACHE === 'on' && { entityStore: createEntityStore(cache) }),
  };
  return GATEWAY_ENGINE === 'soko' ? { ...shared, planning: 'worker' } : { ...shared, planning: 'here', openEngine: openReference };
}

function readKnown(file: string | undefined, only: boolean): KnownOperations {
  if (file === undefined) return knownOperations({ only });
  try {
    return knownOperations({ manifest: JSON.parse(readFileSync(file, 'utf8')), only });
  } catch (error) {
    throw new StartError(`Environment: OPERATIONS_FILE: ${(error as Error).message}`, { cause: error });
  }
}

/** Read only when it is asked for: nobody else pays for what it loads. */
const openReference: GatewayOptions['openEngine'] = async (options) =>
  (await import('./apollo/apollo-engine.ts')).openApolloEngine(options);
