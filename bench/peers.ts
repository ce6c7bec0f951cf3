import { buildHiveRouter, hiveGateway } from './gateway/peers.ts';

/** Installs the gateways that `npm run bench -- gateway` measures beside ours. */
export async function run(): Promise<Record<string, unknown>> {
  const [gateway, router] = [await hiveGateway(), await buildHiveRouter()];
  return { hiveGateway: gateway.missing ?? 'installed', hiveRouter: router.missing ?? 'installed' };
}
