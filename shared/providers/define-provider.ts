import type { Redis } from 'ioredis';
import { z } from 'zod';
import { parseEnv, type EnvSource } from '../base/env.ts';
import { Problem } from '../base/errors.ts';
import type { Log } from '../base/log.ts';
import { createProviderHttp, type HttpPolicy, type ProviderHttp } from './http.ts';
import { withSandbox } from './sandbox-settings.ts';

/*
 * Providers: adapters of third parties, each behind a typed interface. Declared with `defineProvider`, listed in the manifest, opened once in each
 * process, closed with it. Their settings are environment variables of their own.
 */

/** What a provider is opened with. */
export interface ProviderTools<S> {
  settings: S;
  /** Calls with time limit, retries, circuit breaker and redacted logs. */
  http: ProviderHttp;
  log: Log;
  now(): Date;
  redis: Redis;
  /** Goes before each key in Redis. */
  redisPrefix: string;
}

interface ProviderOptions<P, S extends z.ZodType> {
  /** Environment variables. */
  settings?: S;
  /**
   * Settings in development, where `SANDBOX_URL` names the sandbox: `/google` is a path there, `smtp:` its address by that scheme, anything else
   * the value itself. A variable that is set wins.
   */
  sandbox?: Partial<Record<keyof z.input<S> & string, string>>;
  http?: HttpPolicy;
  open(tools: ProviderTools<z.output<S>>): P;
  close?(provider: P): Promise<void> | void;
}

export interface Provider<P = any> {
  kind: 'provider';
  name: string;
  settings: z.ZodType;
  sandbox: Readonly<Record<string, string>>;
  http: HttpPolicy;
  open(tools: ProviderTools<any>): P;
  close: ((provider: P) => Promise<void> | void) | undefined;
}

/** Declares an adapter of one third party. `name` in kebab-case, also that of `npm run providers -- NAME`. */
export function defineProvider<P, S extends z.ZodType = z.ZodObject<{}>>(name: string, options: ProviderOptions<P, S>): Provider<P> {
  return {
    kind: 'provider',
    name,
    settings: options.settings ?? z.object({}),
    sandbox: (options.sandbox ?? {}) as Record<string, string>,
    http: options.http ?? {},
    open: options.open,
    close: options.close,
  };
}

/** Several providers of one interface, and the one to take for an input. */
export interface Choice<P = any, I = any> {
  kind: 'choice';
  choices: Readonly<Record<string, Provider<P>>>;
  rule: (input: I) => string;
}

/** `ctx.providers.carrier(country)` is the provider that the rule names; without a rule the input is the name. */
export function oneOf<P, K extends string, I = K>(choices: Record<K, Provider<P>>, rule?: (input: I) => K): Choice<P, I> {
  return { kind: 'choice', choices, rule: rule ?? ((input) => String(input)) };
}

/** What an action finds in `ctx.providers` of what the manifest lists: definitions are opened, everything else stays. */
export type Opened<T> = {
  [K in keyof T]: T[K] extends Provider<infer P> ? P : T[K] extends Choice<infer P, infer I> ? (input: I) => P : T[K];
};

export interface OpenedProviders {
  providers: Record<string, unknown>;
  close(): Promise<void>;
}

interface OpeningOptions extends Pick<ProviderTools<unknown>, 'log' | 'now' | 'redis' | 'redisPrefix'> {
  environment: EnvSource;
}

/** Every provider of a manifest, also those of choices. */
export const providersIn = (listed: object): Provider[] =>
  Object.values(listed).flatMap((each: unknown) => (isProvider(each) ? [each] : isChoice(each) ? Object.values(each.choices) : []));

/** Opens what a manifest lists. `replacements` of a test are taken as they are, and what they replace is not opened. */
export function openProviders(listed: object, options: OpeningOptions, replacements: object = {}): OpenedProviders {
  const closing: (() => Promise<void> | void)[] = [];
  const open = (provider: Provider): unknown => {
    const { made, close } = openProvider(provider, options);
    closing.push(close);
    return made;
  };
  const opened = Object.entries(listed)
    .filter(([name]) => !(name in replacements))
    .map(([name, each]: [string, unknown]) => [name, isProvider(each) ? open(each) : isChoice(each) ? chosen(each, open) : each]);
  return {
    providers: { ...(Object.fromEntries(opened) as object), ...replacements },
    async close() {
      await Promise.allSettled(closing.map(async (close) => close()));
    },
  };
}

/** One provider, with what closes it. */
export function openProvider<P>(provider: Provider<P>, { environment, ...tools }: OpeningOptions): { made: P; close(): Promise<void> } {
  const { name, http: policy } = provider;
  const log = tools.log.child({ provider: name });
  const http = createProviderHttp(name, policy, log);
  const made = provider.open({ ...tools, log, http, settings: parseEnv(provider.settings, withSandbox(provider, environment)) });
  return {
    made,
    async close() {
      await provider.close?.(made);
      await http.close();
    },
  };
}

function chosen({ choices, rule }: Choice, open: (provider: Provider) => unknown): (input: unknown) => unknown {
  const made = new Map(Object.entries(choices).map(([name, provider]) => [name, open(provider)]));
  return (input) => {
    const name = rule(input);
    if (!made.has(name)) throw new Problem('INVALID', `There is no provider for ${name}. There are ${[...made.keys()].join(', ')}.`);
    return made.get(name);
  };
}

const kindOf = (value: unknown): unknown => (typeof value === 'object' && value !== null && 'kind' in value ? value.kind : undefined);
const isProvider = (value: unknown): value is Provider => kindOf(value) === 'provider';
const isChoice = (value: unknown): value is Choice => kindOf(value) === 'choice';
