import { readResilience } from '#shared/transport/http-settings.ts';
import { httpTransport, type HttpTransport, type HttpTransportOptions } from '#shared/transport/http-transport.ts';
import type { Log } from '#shared/base/log.ts';
import { readSubgraphs } from '../engine/planning/supergraph.ts';
import type { Gateway } from '../gateway.ts';
import type { GatewayOptions } from '../options.ts';

type Served = Pick<GatewayOptions, 'supergraphSdl' | 'transports'>;

/** The subgraphs that a supergraph names, wherever they are. */
export interface ForeignSubgraphs {
  /** What it takes to serve the supergraph. Throws when it is none. Who was reached before is reached over the same connections. */
  of(supergraphSdl: string): Served;
  /** Goes over to another supergraph, and leaves the subgraphs that it does not have any more. */
  reload(gateway: Gateway, supergraphSdl: string): Promise<void>;
  close(): Promise<void>;
}

interface ForeignOptions extends Pick<HttpTransportOptions, 'connections' | 'callerSockets' | 'connectTimeoutMs' | 'maxResponseBytes'> {
  /** As long as a whole request may take: nobody asks a subgraph of the old supergraph after that. */
  timeoutMs: number;
  log: Log;
}

export function openForeignSubgraphs({ log, timeoutMs, ...limits }: ForeignOptions): ForeignSubgraphs {
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

  function of(supergraphSdl: string): Served {
    const subgraphs = readSubgraphs(supergraphSdl);
    const [reachable, others] = [subgraphs.filter(hasAddress), subgraphs.filter((each) => !hasAddress(each))];
    for (const { name } of others)
      log.warn({ subgraph: name }, 'the supergraph has no address for this subgraph; its fields will be missing');
    return { supergraphSdl, transports: Object.fromEntries(reachable.map(({ name, url }) => [name, reach(name, url)])) };
  }

  return {
    of,
    async reload(gateway, supergraphSdl) {
      const served = of(supergraphSdl);
      await gateway.reload(served);
      const left = [...open].filter(([, transport]) => !Object.values(served.transports).includes(transport));
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
