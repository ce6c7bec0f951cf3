import { readFileSync } from 'node:fs';
import { execute, parse, type DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { openGateway, type GatewayOptions } from '../../../gateway/gateway.ts';
import { httpTransport } from '../../../shared/http-transport.ts';
import type { SubgraphTransport } from '../../../shared/transport.ts';
import { subgraphSchema } from '../graph/schemas.ts';
import { subgraphNames, type SubgraphName } from '../graph/sdl.ts';

/* Soko's whole gateway, with the subgraphs reached over HTTP or in its own process. */

const KEPT_DOCUMENTS = 2_000;

const [port, supergraphFile, reach] = process.argv.slice(2);
const supergraphSdl = readFileSync(supergraphFile!, 'utf8');

function inProcess(name: SubgraphName): SubgraphTransport {
  const schema = subgraphSchema(name);
  const documents = new LRUCache<string, DocumentNode>({ max: KEPT_DOCUMENTS });
  return {
    async execute({ query, operationName, variables: variableValues }) {
      let document = documents.get(query);
      if (!document) documents.set(query, (document = parse(query, { noLocation: true })));
      return execute({ schema, document, operationName, variableValues });
    },
    subscribe: async () => ({ errors: [] }),
  };
}

function overHttp(name: SubgraphName): SubgraphTransport {
  const url = new RegExp(`@join__graph\\(name: "${name}", url: "([^"]+)/graphql"\\)`).exec(supergraphSdl)?.[1];
  return httpTransport(name, url!);
}

/** Only the one that is asked for is loaded: the other one's memory would be measured with it. */
async function engine(): Promise<GatewayOptions['openEngine']> {
  if (process.env['GATEWAY_ENGINE'] === 'apollo') return (await import('../../../gateway/apollo-engine.ts')).openApolloEngine;
  return (await import('../../../gateway/engine/open.ts')).openEngine;
}

await openGateway({
  supergraphSdl,
  transports: Object.fromEntries(subgraphNames.map((name) => [name, reach === 'in-process' ? inProcess(name) : overHttp(name)])),
  accessTokenPublicKey: null,
  port: Number(port),
  production: true,
  openEngine: await engine(),
});
