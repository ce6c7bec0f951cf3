import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { PlainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';

/** What a server does instead of responding. */
type Behaviour = (request: SubgraphRequest, response: ServerResponse) => unknown;

/** A subgraph over real HTTP that can be told to misbehave. For tests of the gateway. */
export interface Hostile {
  url: string;
  /** Requests since the last look. */
  requests: { query: string; headers: IncomingMessage['headers'] }[];
  /** From now on; without an argument it responds normally. */
  behave: (behaviour?: Behaviour) => void;
  close: () => Promise<void>;
}

export async function openHostile(subgraph: PlainSubgraph): Promise<Hostile> {
  const requests: Hostile['requests'] = [];
  const well: Behaviour = async (request, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(await subgraph.execute(request)));
  };
  let current = well;
  const server = createServer(async (incoming, response) => {
    const request = (await json(incoming)) as SubgraphRequest;
    requests.push({ query: request.query, headers: incoming.headers });
    await current(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`,
    requests,
    behave: (behaviour = well) => (current = behaviour),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Writes blanks as long as they are read; returns how many bytes. */
export async function pour(response: ServerResponse, atMost: number): Promise<number> {
  const blanks = Buffer.alloc(1024 * 1024, ' ');
  let poured = 0;
  for (; poured < atMost && !response.destroyed; poured += blanks.length) {
    if (!response.write(blanks)) await new Promise((resolve) => response.once('drain', resolve).once('close', resolve));
  }
  return poured;
}

/** Writes a little, for ever. */
export function drip(response: ServerResponse): void {
  const timer = setInterval(() => response.write(' '), 20);
  response.once('close', () => clearInterval(timer));
}
