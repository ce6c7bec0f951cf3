import { generateKeyPairSync } from 'node:crypto';
import type { ExecutionResult } from 'graphql';
import { createClient, type Client, type ClientOptions } from 'graphql-ws';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import { composeSupergraph } from '../../schema/compose.ts';
import type { OpenSubgraph } from '#shared/runtime/runtime.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { openGateway, type Gateway } from '../gateway.ts';
import type { GatewayOptions } from '../options.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- answers of any operation
type Data = any;

export interface TestResponse {
  status: number;
  headers: Headers;
  data: Data;
  errors?: { message: string; path?: (string | number)[]; extensions: { code: string } & Record<string, unknown> }[];
}

interface TestRequest {
  token?: string | undefined;
  headers?: Record<string, string>;
}

export interface TestGateway extends Gateway {
  /** POSTs an operation. */
  ask: (query: string, variables?: Record<string, unknown>, request?: TestRequest) => Promise<TestResponse>;
  /** POSTs any body. */
  post: (body: unknown, headers?: Record<string, string>) => Promise<TestResponse>;
  /** A stream over its own socket; returning it closes the socket. */
  subscribe: (
    query: string,
    variables?: Record<string, unknown>,
    request?: TestRequest,
  ) => AsyncGenerator<ExecutionResult<Data>, void, void>;
  /** A graphql-ws client that does not reconnect; closed with the gateway. */
  socket: (options?: { token?: string | undefined } & Partial<ClientOptions>) => Client;
  tokenFor: (viewer: Partial<Viewer> & { id: string }, expiresInSeconds?: number) => Promise<string>;
}

type TestOptions = Partial<GatewayOptions> & { subgraphs: readonly Pick<OpenSubgraph, 'name' | 'typeDefs' | 'execute' | 'subscribe'>[] };

const { privateKey, publicKey } = generateKeyPairSync('ed25519');
export const testKeys = { privateKey, publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }) as string };

/** A gateway over these subgraphs on a free port, called over real HTTP and WebSocket. Without `transports` it calls them in process. */
export async function openGatewayForTest({ subgraphs, ...options }: TestOptions): Promise<TestGateway> {
  const supergraphSdl = composeSupergraph(subgraphs.map(({ name, typeDefs }) => ({ name, typeDefs, url: `http://${name}/graphql` })));
  const transports = Object.fromEntries(subgraphs.map((subgraph) => [subgraph.name, subgraph]));
  const gateway = await openGateway({ supergraphSdl, transports, accessTokenPublicKey: testKeys.publicKeyPem, port: 0, ...options });
  const clients = new Set<Client>();

  const post: TestGateway['post'] = async (body, headers = {}) => {
    const response = await fetch(gateway.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    return { ...((await response.json()) as Pick<TestResponse, 'data' | 'errors'>), status: response.status, headers: response.headers };
  };
  const socket: TestGateway['socket'] = ({ token, ...rest } = {}) => {
    const client = createClient({
      url: gateway.wsUrl,
      webSocketImpl: WebSocket,
      retryAttempts: 0,
      ...(token !== undefined && { connectionParams: { authorization: `Bearer ${token}` } }),
      ...rest,
    });
    clients.add(client);
    return client;
  };

  return {
    ...gateway,
    post,
    ask: (query, variables, { token, headers } = {}) =>
      post({ query, variables }, { ...(token !== undefined && { authorization: `Bearer ${token}` }), ...headers }),
    socket,
    subscribe: (query, variables, { token } = {}) =>
      socket({ token }).iterate<Data>({ query, variables: variables ?? null }) as AsyncGenerator<ExecutionResult<Data>, void, void>,
    tokenFor: ({ id, roles = [], scopes = [], sessionId }, expiresInSeconds = 900) =>
      signAccessToken({ sub: id, roles, scopes, sid: sessionId }, expiresInSeconds),
    async close() {
      for (const client of clients) await client.dispose();
      await gateway.close();
    },
  };
}

const signAccessToken = (claims: Record<string, unknown>, expiresInSeconds: number): Promise<string> =>
  new SignJWT(claims)
    .setProtectedHeader({ alg: 'EdDSA' })
    .setIssuer('soko')
    .setAudience('soko')
    .setIssuedAt()
    .setExpirationTime(Math.floor(Date.now() / 1000) + expiresInSeconds)
    .sign(privateKey);
