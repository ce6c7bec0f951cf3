import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/* Other gateways are installed beside the data, never as dependencies of this project. */

const FOLDER = join(import.meta.dirname, '../../.data/peers');

/** The Guild's gateway, and its planner in Rust. The override replaces a batch-execute version that was never published. */
const HIVE_GATEWAY = {
  private: true,
  dependencies: { '@graphql-hive/gateway': '2.15.1', '@graphql-hive/router-runtime': '1.4.23', graphql: '16.15.0' },
  overrides: { '@graphql-tools/batch-execute': '10.2.0' },
};

const HIVE_ROUTER_VERSION = '0.3.10';

const hiveGatewayFolder = join(FOLDER, 'hive-gateway');
const hiveRouterFolder = join(FOLDER, 'hive-router');

/** Where a peer can be started, or why not. */
export type Installed = { file: string; missing?: never } | { file?: never; missing: string };

/** Installs it from npm on first use. */
export async function hiveGateway(): Promise<Installed> {
  const file = join(hiveGatewayFolder, 'node_modules/.bin/hive-gateway');
  const manifest = join(hiveGatewayFolder, 'package.json');
  const wanted = `${JSON.stringify(HIVE_GATEWAY, null, 2)}\n`;
  if (!existsSync(file) || readFileSync(manifest, 'utf8') !== wanted) {
    mkdirSync(hiveGatewayFolder, { recursive: true });
    writeFileSync(manifest, wanted);
    const code = await run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts'], hiveGatewayFolder);
    if (code !== 0) return { missing: `npm install of Hive Gateway ended with ${code}` };
  }
  return { file };
}

/** Only `npm run bench -- peers` builds it, which takes ten minutes on two cores. */
export function hiveRouter(): Installed {
  const file = join(hiveRouterFolder, 'bin/hive_router');
  return existsSync(file) ? { file } : { missing: 'Hive Router is not built: npm run bench -- peers' };
}

export async function buildHiveRouter(): Promise<Installed> {
  const found = hiveRouter();
  if (found.file) return found;
  if (!hasCargo()) return { missing: 'Hive Router is not built: there is no cargo' };
  mkdirSync(hiveRouterFolder, { recursive: true });
  // Without `graphiql` its build script looks for a package that is not on npm.
  const options = ['--locked', '--ignore-rust-version', '--features', 'graphiql', '--root', hiveRouterFolder];
  const args = ['install', 'hive-router', '--version', HIVE_ROUTER_VERSION, ...options, '--target-dir', join(hiveRouterFolder, 'target')];
  const code = await run('cargo', args, hiveRouterFolder);
  return code === 0 ? hiveRouter() : { missing: `cargo install of Hive Router ended with ${code}` };
}

function hasCargo(): boolean {
  try {
    execFileSync('cargo', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function run(file: string, args: string[], cwd: string): Promise<number> {
  const child = spawn(file, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}
