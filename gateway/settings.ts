import { z } from 'zod';
import { parseEnv, type EnvSource } from '../shared/env.ts';
import type { GatewayOptions } from './gateway.ts';

const Settings = z.object({
  NODE_ENV: z.string().default('development'),
  /** Origins of the web pages that may call, separated by commas. The gateway's own pages may always. */
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform((text) => text.split(',').map((origin) => origin.trim()))
    .transform((origins) => origins.filter(Boolean))
    .pipe(z.array(z.url('must be origins such as https://shop.example.org'))),
  /** How many proxies of our own stand in front, each adding to x-forwarded-for. */
  TRUST_PROXY: z.coerce.number().int().min(0).max(10).default(0),
  /** GraphiQL at the endpoint; by default everywhere but in production. */
  PLAYGROUND: z.stringbool().optional(),
  /** `apollo` runs everything on @apollo/gateway's executor instead: the reference. */
  GATEWAY_ENGINE: z.enum(['soko', 'apollo']).default('soko'),
});

type FromEnvironment = Pick<GatewayOptions, 'corsOrigins' | 'trustedProxies' | 'production' | 'playground' | 'openEngine' | 'planning'>;

/** What the environment says about the gateway, for whatever process it runs in. */
export function gatewaySettings(environment: EnvSource): FromEnvironment {
  const { NODE_ENV, CORS_ORIGINS, TRUST_PROXY, PLAYGROUND, GATEWAY_ENGINE } = parseEnv(Settings, environment);
  const production = NODE_ENV === 'production';
  const shared = { corsOrigins: CORS_ORIGINS, trustedProxies: TRUST_PROXY, production, playground: PLAYGROUND ?? !production };
  return GATEWAY_ENGINE === 'soko' ? { ...shared, planning: 'worker' } : { ...shared, planning: 'here', openEngine: openReference };
}

/** Read only when it is asked for: nobody else pays for what it loads. */
const openReference: GatewayOptions['openEngine'] = async (options) => (await import('./apollo-engine.ts')).openApolloEngine(options);
