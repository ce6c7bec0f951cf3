import { readResilience } from '#shared/transport/http-settings.ts';
import { httpTransport, type HttpTransport, type HttpTransportOptions } from '#shared/transport/http-transport.ts';
import type { Log } from '#shared/base/log.ts';
import { readSubgraphs } from '../engine/planning/supergraph.ts';
import type { Gateway } from '../gateway.ts';
import type { GatewayOptions } from '../options.ts';

type GraphSource = Pick<GatewayOptions, 'supergraphSdl' | 'transports'>;

/** The subgraphs that a supergraph names, wherever they run. */
export interface ExternalSubgraphs {
  /** The options that serve a supergraph. Throws when the SDL is no supergraph. Known subgraphs keep their connections. */
  of(supergraphSdl: string): GraphSource;
  /** Switches to another supergraph, and closes subgraphs that it no longer has. */
  reload(gateway: Gateway, supergraphSdl: string): Promise<void>;
  close(): Promise<void>;
}

interface ExternalSubgraphsOptions extends Pick<
  HttpTransportOptions,
  'connections' | 'callerSockets' | 'connectTimeoutMs' | 'maxResponseBytes'
> {
  /** The time limit of a request: no request uses a subgraph of the old supergraph for longer. */
  timeoutMs: number;
  log: Log;
}

export function openExternalSubgraphs({ log, timeoutMs, ...limits }: ExternalSubgraphsOptions): ExternalSubgraphs {
  const open = new Map<string, HttpTransport>();
  const resilience = readResilience();

  function reach(name: string, url: string): HttpTransport {
    const memo = `${name} ${url}`;
    let transport = open.get(memo);
    if (!transport) {
      transport = httpTransport(name, url, { isExternal: true, timeoutMs, ...limits, resilience });
      open.set(memo, transport);
    }
    return transport;
  }

  function of(supergraphSdl: string): GraphSource {
    const subgraphs = readSubgraphs(supergraphSdl);
    const [reachable, others] = [subgraphs.filter(hasAddress), subgraphs.filter((each) => !hasAddress(each))];
    for (const { name } of others)
      log.warn({ subgraph: name }, 'the supergraph has no address for this subgraph; its fields will be missing');
    return { supergraphSdl, transports: Object.fromEntries(reachable.map(({ name, url }) => [name, reach(name, url)])) };
  }

  return {
    of,
    async reload(gateway, supergraphSdl) {
      const source = of(supergraphSdl);
      await gateway.reload(source);
      const left = [...open].filter(([, transport]) => !Object.values(source.transports).includes(transport));
      for (const [memo, transport] of left) {
        open.delete(memo);
        setTimeout(() => void transport.close(), timeoutMs).unref();
      }
    },
    async close() {
      await Promise.all([...open.values()].map((transport) => transport.close()));
    },
  };
}

const hasAddress = ({ url }: { url: string }): boolean => /^https?:/.test(url) && URL.canParse(url);
