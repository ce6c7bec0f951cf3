import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, scriptOf } from '../script.ts';
import { hashOf, type BenchOperation } from './graph/operations.ts';
import { hiveGateway, hiveRouter, type Installed } from './peers.ts';
import type { Command } from './processes.ts';

export interface Target {
  name: string;
  label: string;
  /** The body of a request; other targets send the source. */
  bodyOf?: (operation: BenchOperation, variables: Record<string, unknown>) => string;
  /** Starts the target on this port, or says why it cannot be started. */
  prepare(port: number): Promise<Command | { missing: string }>;
}

interface Files {
  /** Folder for settings of the peers. */
  folder: string;
  supergraphFile: string;
  /** The same over subgraphs that accept one request at a time. */
  withoutBatches: string;
}

type Prepare = Target['prepare'];

const SERVERS = join(import.meta.dirname, 'servers');
const QUIET = { NODE_ENV: 'production', LOG_LEVEL: 'error', APOLLO_TELEMETRY_DISABLED: 'true' };
const WITHOUT_SHARED_FETCHES = { transportEntries: { '*.http': { options: { deduplicateInflightRequests: false } } } };
const WITH_SHARED_REQUESTS = { inboundInflightRequestDeduplication: true };

/** All targets. `off` and `on` say whether equal work in flight runs once, which costs next to nothing when all clients send the same. */
export function targetsOver(files: Files): Target[] {
  const { supergraphFile } = files;
  return [
    { name: 'monolith', label: 'Monolith in Apollo Server on node:http', prepare: ours('monolith.ts') },
    { name: 'apollo', label: '@apollo/gateway', prepare: ours('apollo-gateway.ts', supergraphFile) },
    { name: 'apollo-pooled', label: '@apollo/gateway, undici data source', prepare: ours('apollo-gateway.ts', supergraphFile, 'pooled') },
    { name: 'hive', label: 'Hive Gateway, sharing off', prepare: hive(files, 'off', WITHOUT_SHARED_FETCHES) },
    { name: 'hive-shared', label: 'Hive Gateway, sharing fetches (default)', prepare: hive(files, 'default', {}) },
    {
      name: 'hive-rust',
      label: 'Hive Gateway, Rust planner, sharing off',
      prepare: hive(files, 'off', WITHOUT_SHARED_FETCHES, '--hive-router-runtime'),
    },
    {
      name: 'hive-rust-shared',
      label: 'Hive Gateway, Rust planner, sharing requests',
      prepare: hive(files, 'on', WITH_SHARED_REQUESTS, '--hive-router-runtime'),
    },
    { name: 'hive-router', label: 'Hive Router, sharing off', prepare: router(files, false) },
    { name: 'hive-router-shared', label: 'Hive Router, sharing fetches (default)', prepare: router(files, true) },
    { name: 'soko-http', label: 'Soko over HTTP, sharing off', prepare: soko(supergraphFile, { SINGLE_FLIGHT: 'none' }) },
    { name: 'soko-http-shared', label: 'Soko over HTTP, sharing requests (default)', prepare: soko(supergraphFile, {}) },
    {
      name: 'soko-http-alone',
      label: 'Soko over HTTP, no batches, sharing off',
      prepare: soko(files.withoutBatches, { SINGLE_FLIGHT: 'none' }),
    },
    { name: 'soko-in-process', label: 'Soko in process', prepare: ours('soko-in-process.ts', supergraphFile) },
    {
      name: 'soko-known',
      label: 'Soko in process, known operations',
      bodyOf: (operation, variables) =>
        JSON.stringify({ extensions: { persistedQuery: { version: 1, sha256Hash: hashOf(operation) } }, variables }),
      prepare: ours('soko-in-process.ts', supergraphFile),
    },
  ];
}

const ours =
  (server: string, ...args: string[]): Prepare =>
  async (port) => ({
    file: process.execPath,
    args: [join(SERVERS, server), String(port), ...args],
    cwd: SERVERS,
    env: QUIET,
  });

/** As users start it: npm run gateway. Like the others it does not propagate the client's headers. */
const soko =
  (supergraphFile: string, env: Record<string, string>): Prepare =>
  async (port) => {
    const options = ['--supergraph', supergraphFile, '--port', String(port), '--open', '--forward-headers', ''];
    const script = scriptOf('gateway');
    return { file: process.execPath, args: [...script.options, script.file, ...options], cwd: ROOT, env: { ...QUIET, ...env } };
  };

const hive =
  ({ folder, supergraphFile }: Files, sharing: string, settings: object, ...flags: string[]): Prepare =>
  async (port) => {
    const config = join(folder, `hive-gateway-${sharing}.config.mjs`);
    write(config, `export const gatewayConfig = ${JSON.stringify({ logging: 'error', ...settings })};\n`);
    const args = ['supergraph', supergraphFile, '--fork', '1', '--host', '127.0.0.1', '--port', String(port), '-c', config, ...flags];
    return commandOf(await hiveGateway(), args, folder, { ...QUIET, DISABLE_WEBSOCKETS: '1' });
  };

const router =
  ({ folder, supergraphFile }: Files, sharing: boolean): Prepare =>
  async (port) => {
    const config = join(folder, `hive-router-${sharing ? 'shared' : 'alone'}.json`);
    const settings = {
      supergraph: { source: 'file', path: supergraphFile },
      http: { host: '127.0.0.1', port },
      log: { level: 'error' },
      traffic_shaping: { all: { dedupe_enabled: sharing } },
    };
    write(config, JSON.stringify(settings));
    return commandOf(hiveRouter(), [], folder, { ROUTER_CONFIG_FILE_PATH: config });
  };

const commandOf = ({ file, missing }: Installed, args: string[], cwd: string, env: Record<string, string>) =>
  file === undefined ? { missing } : { file, args, cwd, env };

function write(file: string, text: string): void {
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
}
