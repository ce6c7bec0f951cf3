import type { ExecutionResult } from 'graphql';
import type { Client } from 'graphql-ws';
import { LRUCache } from 'lru-cache';
import { IDENTITY_HEADER, signIdentity, type Identity, type Purpose } from './identity.ts';
import { createSocketClient, openSubscription, type SocketLimits } from './socket-client.ts';
import type { SubgraphRequest } from './transport.ts';

/** How one subgraph is reached, and what it is told of who asks. */
export interface Access {
  /** Path of its GraphQL endpoint. */
  endpoint: string;
  headersFor: (identity: Identity, purpose: Purpose) => Promise<Record<string, string>>;
  subscribe: (request: SubgraphRequest) => Promise<AsyncGenerator<ExecutionResult, void, void>>;
  close: () => Promise<void>;
}

const KEY_REUSE_MS = 30_000;
const REMEMBERED_IDENTITIES = 5_000;
const MOST_FOREIGN_SOCKETS = 500;

/** A subgraph of ours, at /graphql: it believes a signed identity. One socket carries all subscriptions. */
export function ownAccess(name: string, base: URL, limits: SocketLimits): Access {
  const endpoint = `${base.pathname.replace(/\/$/, '')}/graphql`;
  const socket = createSocketClient(socketUrl(base, endpoint), limits);
  const keyFor = createKeyring(name);
  return {
    endpoint,
    headersFor: async (identity, purpose) => ({ [IDENTITY_HEADER]: await keyFor(identity, purpose) }),
    subscribe: async (request) => openSubscription(name, socket, request, await keyFor(request.identity, 'graphql')),
    close: async () => socket.dispose(),
  };
}

/** Anybody's subgraph, at exactly this address: given the headers that are handed on; over sockets as what the connection begins with. */
export function foreignAccess(name: string, base: URL, limits: SocketLimits): Access {
  const endpoint = `${base.pathname}${base.search}`;
  const sockets = new LRUCache<string, Client>({ max: MOST_FOREIGN_SOCKETS, dispose: (socket) => void socket.dispose() });
  const socketFor = (forwarded: Record<string, string>): Client => {
    const memo = JSON.stringify(forwarded);
    let socket = sockets.get(memo);
    if (!socket) sockets.set(memo, (socket = createSocketClient(socketUrl(base, endpoint), { ...limits, connectionParams: forwarded })));
    return socket;
  };
  return {
    endpoint,
    headersFor: async ({ forwarded = {} }) => forwarded,
    subscribe: async (request) => openSubscription(name, socketFor(request.identity.forwarded ?? {}), request),
    close: async () => sockets.clear(),
  };
}

const socketUrl = ({ origin }: URL, endpoint: string): string => `${origin.replace(/^http/, 'ws')}${endpoint}`;

const contents = new WeakMap<Identity, string>();

/** One operation asks several subgraphs, each of them perhaps several times, as the same one. */
function contentOf(identity: Identity): string {
  let content = contents.get(identity);
  if (content === undefined) contents.set(identity, (content = JSON.stringify(identity)));
  return content;
}

/** One signature serves an identity and a purpose for half of its life. */
function createKeyring(audience: string): (identity: Identity, purpose: Purpose) => Promise<string> {
  const keys = new LRUCache<string, Promise<string>>({ max: REMEMBERED_IDENTITIES, ttl: KEY_REUSE_MS });
  return (identity, purpose) => {
    const memo = purpose + contentOf(identity);
    let key = keys.get(memo);
    if (!key) keys.set(memo, (key = signIdentity(identity, audience, purpose)));
    return key;
  };
}
