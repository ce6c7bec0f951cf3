import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from './load-subgraph.ts';

export interface Service {
  image?: string;
  command: string[];
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  networks: string[];
  ports?: string[];
}

export interface Compose {
  services: Record<string, Service>;
  networks: Record<string, unknown>;
  volumes: Record<string, unknown>;
}

/** docker-compose.yml with its anchors followed. */
export const readCompose = (): Compose => parse(readFileSync(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as Compose;

/** What stands in .env for the variables that have no default. */
export const SECRETS: Record<string, string> = {
  INTERNAL_SECRET: 'a-secret-of-this-test-that-is-long-enough',
  ACCESS_TOKEN_PRIVATE_KEY: String.raw`-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----`,
  ACCESS_TOKEN_PUBLIC_KEY: String.raw`-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n-----END PUBLIC KEY-----`,
};

/** As compose hands it over: `${A:?why}` must be set, `${A:-usual}` falls back. */
export function environmentOf(service: Service): Record<string, string> {
  const filled = (value: string): string =>
    value.replaceAll(/\$\{(\w+)(?::([-?])([^}]*))?\}/g, (_all, name: string, sign?: string, rest = '') => {
      const given = SECRETS[name];
      if (given === undefined && sign !== '-') throw new Error(`${name} must be set: ${rest}`);
      return given ?? rest;
    });
  return Object.fromEntries(Object.entries(service.environment ?? {}).map(([name, value]) => [name, filled(value)]));
}
