import { readFileSync } from 'node:fs';
import { parse, type DocumentNode } from 'graphql';
import { LRUCache } from 'lru-cache';
import { openGateway } from '../../../gateway/gateway.ts';
import { createPersistedOperations } from '../../../gateway/supergraph/persisted-operations.ts';
import { createCompiledExecution } from '#shared/runtime/compiled-execution.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import { manifest } from '../graph/operations.ts';
import { subgraphSchema } from '../graph/schemas.ts';
import { subgraphNames, type SubgraphName } from '../graph/sdl.ts';

/* Soko's whole gateway with the subgraphs in its own process; they work as those of the monolith do. */

const MAX_CACHED_DOCUMENTS = 2_000;

const [port, supergraphFile] = process.argv.slice(2);

function inProcess(name: SubgraphName): SubgraphTransport {
  const run = createCompiledExecution(subgraphSchema(name));
  const documents = new LRUCache<string, DocumentNode>({ max: MAX_CACHED_DOCUMENTS });
  return {
    async execute({ query, operationName, variables: variableValues }) {
      let document = documents.get(query);
      if (!document) documents.set(query, (document = parse(query, { noLocation: true })));
      return run({ document, operationName, variableValues });
    },
    subscribe: async () => ({ errors: [] }),
  };
}

await openGateway({
  supergraphSdl: readFileSync(supergraphFile!, 'utf8'),
  transports: Object.fromEntries(subgraphNames.map((name) => [name, inProcess(name)])),
  accessTokenPublicKey: null,
  port: Number(port),
  production: true,
  persistedOperations: createPersistedOperations({ manifest }),
  // The monolith does not deduplicate either.
  dedupe: { operations: false, fetches: false },
});
