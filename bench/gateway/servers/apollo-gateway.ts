import { readFileSync } from 'node:fs';
import { ApolloGateway, type GraphQLDataSource } from '@apollo/gateway';
import { Pool } from 'undici';
import { serveApollo } from '../bare-http.ts';

/* @apollo/gateway with its defaults, or with the cheapest data source that it accepts. */

const CONNECTIONS = 32;

const [port, supergraphFile, source] = process.argv.slice(2);

function pooled(url: string): GraphQLDataSource {
  const { origin, pathname: path } = new URL(url);
  const pool = new Pool(origin, { connections: CONNECTIONS });
  return {
    async process({ request: { query, operationName, variables } }) {
      const body = JSON.stringify({ query, operationName, variables });
      const response = await pool.request({ method: 'POST', path, headers: { 'content-type': 'application/json' }, body });
      return (await response.body.json()) as never;
    },
  };
}

const gateway = new ApolloGateway({
  supergraphSdl: readFileSync(supergraphFile!, 'utf8'),
  ...(source === 'pooled' && { buildService: ({ url }) => pooled(url!) }),
});
await serveApollo({ gateway }, Number(port));
