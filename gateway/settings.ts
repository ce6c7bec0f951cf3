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
});

/** What the environment says about the gateway, for whatever process it runs in. */
export function gatewaySettings(
  environment: EnvSource,
): Pick<GatewayOptions, 'corsOrigins' | 'trustedProxies' | 'production' | 'playground'> {
  const { NODE_ENV, CORS_ORIGINS, TRUST_PROXY, PLAYGROUND } = parseEnv(Settings, environment);
  const production = NODE_ENV === 'production';
  return { corsOrigins: CORS_ORIGINS, trustedProxies: TRUST_PROXY, production, playground: PLAYGROUND ?? !production };
}
