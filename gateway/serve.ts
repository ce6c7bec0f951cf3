import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { z } from 'zod';
import { parseEnv, pem } from '../shared/env.ts';
import { createLog } from '../shared/log.ts';
import { openForeignSubgraphs } from './foreign.ts';
import { openGateway } from './gateway.ts';
import type { GatewayOptions } from './options.ts';
import { followSupergraph } from './follow.ts';
import { gatewaySettings } from './settings.ts';

/*
 * `npm run gateway -- --supergraph FILE`: a gateway for any composed supergraph, without database or Redis. Who asks shows an access token
 * of ACCESS_TOKEN_PUBLIC_KEY, or nothing with `--open`.
 */

const DEFAULT_PORT = 4000;
const DRAIN_MS = 10_000;
/** Wider than ours: what others ask of their subgraphs is not known here. A cost says nothing where lists do not tell their size. */
const LIMITS: GatewayOptions['limits'] = {
  tokens: 15_000,
  aliases: 500,
  directives: 200,
  depth: 60,
  cost: Number.POSITIVE_INFINITY,
  bodyBytes: 2 * 1024 * 1024,
  socketMessageBytes: 1024 * 1024,
  operationsPerSocket: 500,
};

const USAGE = 'npm run gateway -- --supergraph FILE [--port N] [--open] [--forward-headers NAME,NAME]';

const Environment = z.object({
  ACCESS_TOKEN_PUBLIC_KEY: pem,
  PORT: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  HOST: z.string().default('127.0.0.1'),
});

interface Options {
  file: string;
  port: number;
  host: string;
  /** `null`: nobody is asked who they are, and everyone may see the schema. */
  accessTokenPublicKey: string | null;
  forwardHeaders: string[];
}

async function main({ file, ...options }: Options): Promise<void> {
  const log = createLog('gateway');
  const isOpen = options.accessTokenPublicKey === null;
  const subgraphs = openForeignSubgraphs({ log });
  const supergraphSdl = readFileSync(file, 'utf8');
  const served = readable(file, () => subgraphs.of(supergraphSdl));
  const gateway = await openGateway({
    ...gatewaySettings({ ...process.env, NODE_ENV: isOpen ? 'development' : 'production' }),
    ...served,
    ...options,
    limits: LIMITS,
    scalars: {},
    log,
  });
  const reload = (changed: string): Promise<void> => subgraphs.reload(gateway, changed);
  const following = followSupergraph({ path: file, current: supergraphSdl, reload, watches: true, log });
  closeWithGrace({ delay: DRAIN_MS, skip: ['SIGHUP'] }, async ({ err }) => {
    if (err) log.fatal({ err }, 'stopping because of an error');
    following.stop();
    await gateway.close();
    await subgraphs.close();
  });
  log.info({ url: gateway.url }, 'listening');
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      supergraph: { type: 'string' },
      port: { type: 'string' },
      open: { type: 'boolean', default: false },
      'forward-headers': { type: 'string' },
    },
  });
  const { supergraph: file, port, open } = values;
  if (file === undefined) throw new Error(`Name the file of a composed supergraph: ${USAGE}`);
  const { ACCESS_TOKEN_PUBLIC_KEY: key, PORT, HOST } = parseEnv(Environment, { ...process.env, ...(port !== undefined && { PORT: port }) });
  if (!open && key === undefined)
    throw new Error('Set ACCESS_TOKEN_PUBLIC_KEY, a PEM, to say whose access tokens count; or start with --open.');
  // Without a key of its own a gateway leaves it to the subgraphs who may do what.
  const forwarded = values['forward-headers'] ?? (open ? 'authorization' : '');
  return {
    file: resolve(file),
    port: PORT,
    host: HOST,
    accessTokenPublicKey: open ? null : key!,
    forwardHeaders: forwarded
      .split(',')
      .map((name) => name.trim())
      .filter(Boolean),
  };
}

function readable<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new Error(`${file} is no composed supergraph: ${(error as Error).message}`, { cause: error });
  }
}

/** What the person at the keyboard can set right needs one line, not the place in our code. */
function giveUp(error: unknown): never {
  console.error(`The gateway cannot start: ${(error as Error).message.split('\n', 1)[0]}`);
  process.exit(1);
}

try {
  await main(readOptions());
} catch (error) {
  giveUp(error);
}
