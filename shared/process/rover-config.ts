import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { parseEnv, type EnvSource } from '../base/env.ts';
import { StartError } from '../base/start-error.ts';

/** One subgraph of `rover.yaml`. */
export interface RoverSubgraph {
  name: string;
  /** Address for other processes, ending in /graphql; part of the supergraph. */
  routingUrl: string;
  /** Path of its complete SDL, as `npm run compose` writes it; from the root of the project. */
  schemaFile: string;
  /**
   * Address for this process, without /graphql: from SUBGRAPH_URLS; otherwise the routing URL in production, where host names are those of the
   * deployment, and its port of this machine elsewhere.
   */
  baseUrl: string;
  /** Port of its own process. */
  port: number;
}

const FILE = 'rover.yaml';
const FIRST_PORT = 4001;

const RoverConfig = z.object({
  subgraphs: z.record(
    z.string().regex(/^[a-z][a-z0-9-]*$/, 'must be a name of small letters, digits and -'),
    z.object({ routing_url: z.url().regex(/\/graphql$/, 'must end in /graphql'), schema: z.object({ file: z.string() }) }),
  ),
});

export const RoverOverrides = z.object({
  NODE_ENV: z.string().default('development'),
  /** JSON, name to base URL: `{"notes":"http://127.0.0.1:4101"}`. */
  SUBGRAPH_URLS: z
    .string()
    .default('{}')
    .transform((text, ctx): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        ctx.addIssue({ code: 'custom', message: 'must be JSON' });
        return z.NEVER;
      }
    })
    .pipe(z.record(z.string(), z.url())),
});

/** The subgraphs of `root`/rover.yaml in their order, ports counted from 4001, with the addresses of this process's environment. */
export function readRoverConfig(root: string, environment: EnvSource = process.env): RoverSubgraph[] {
  const parsed = RoverConfig.safeParse(parse(readFileSync(join(root, FILE), 'utf8')));
  if (!parsed.success) throw new Error(`${FILE}: ${z.prettifyError(parsed.error)}`);
  const { SUBGRAPH_URLS: overrides, NODE_ENV } = parseEnv(RoverOverrides, environment);
  const unknown = Object.keys(overrides).filter((name) => !(name in parsed.data.subgraphs));
  if (unknown.length > 0) throw new StartError(`Environment: SUBGRAPH_URLS: names ${unknown.join(', ')}, which ${FILE} does not know`);

  return Object.entries(parsed.data.subgraphs).map(([name, { routing_url: routingUrl, schema }], index) => {
    const override = overrides[name]?.replace(/\/(graphql)?$/, '');
    const port = Number(override && new URL(override).port) || FIRST_PORT + index;
    const defaultUrl = NODE_ENV === 'production' ? routingUrl.replace(/\/graphql$/, '') : `http://127.0.0.1:${port}`;
    return { name, routingUrl, schemaFile: schema.file, baseUrl: override ?? defaultUrl, port };
  });
}
