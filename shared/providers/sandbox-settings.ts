import { z } from 'zod';
import { parseEnv, type EnvSource } from '../base/env.ts';
import type { Provider } from './define-provider.ts';

export const SandboxSettings = z
  .object({
    NODE_ENV: z.string().default('development'),
    /** Address of the sandbox: third parties that are not set are taken from there. Never in production. */
    SANDBOX_URL: z.url({ protocol: /^http$/ }).optional(),
  })
  .refine(({ NODE_ENV, SANDBOX_URL }) => !SANDBOX_URL || NODE_ENV !== 'production', {
    path: ['SANDBOX_URL'],
    message: 'must not be set in production: its third parties are not real',
  });

/** The environment of a provider, completed from the sandbox where one is named. */
export function withSandbox({ sandbox }: Pick<Provider, 'sandbox'>, environment: EnvSource): EnvSource {
  const { SANDBOX_URL: url } = parseEnv(SandboxSettings, environment);
  if (!url) return environment;
  const base = url.replace(/\/$/, '');
  const there = Object.entries(sandbox).map(([name, value]) => [name, environment[name] || addressOf(base, value)]);
  return { ...environment, ...(Object.fromEntries(there) as Record<string, string>) };
}

function addressOf(base: string, value: string): string {
  if (value.startsWith('/')) return `${base}${value}`;
  return /^[a-z]+:$/.test(value) ? base.replace(/^http:/, value) : value;
}
