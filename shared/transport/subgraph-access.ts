import type { ExecutionResult } from 'graphql';
import type { Client } from 'graphql-ws';
import { LRUCache } from 'lru-cache';
import { Problem } from '../base/errors.ts';
import { IDENTITY_HEADER, signIdentity, type Identity, type Purpose } from '../base/identity.ts';
import { createSocketClient, openSubscription, type SocketLimits } from './websocket-client.ts';
import type { SubgraphRequest } from '../kit/transport.ts';

/** Endpoint, headers and streams of one subgraph. */
export interface Access {
  /** Path of its GraphQL endpoint. */
  endpoint: string;
  headersFor: (identity: Identity, purpose: Purpose) => Promise<Record<string, string>>;
  subscribe: (request: SubgraphRequest) => Promise<AsyncGenerator<ExecutionResult, void, void>>;
  close: () => Promise<void>;
}

const KEY_REUSE_MS = 30_000;
const REMEMBERED_IDENTITIES = 5_000;
/** An idle socket waits this long for the next stream of the same client. */
const IDLE_SOCKET_MS = 30_000;

/** A first-party subgraph, at /graphql: it accepts a signed identity. One socket carries all subscriptions. */
export function firstPartyAccess(name: string, base: URL, limits: SocketLimits): Access {
  const endpoint = `${base.pathname.replace(/\/$/, '')}/graphql`;
  const socket = createSocketClient(socketUrl(base, endpoint), limits);
  const keyFor = createKeyring(name);
  return {
    endpoint,
    headersFor: async (identity, purpose) => ({ [IDENTITY_HEADER]: await keyFor(identity, purpose) }),
    subscribe: async (request) => openSubscription(name, socket, request, { key: await keyFor(request.identity, 'graphql') }),
    close: async () => socket.dispose(),
  };
}

/** An external subgraph, at exactly this address: it receives the propagated headers; over sockets as connection parameters. */
export function externalAccess(name: string, base: URL, { callerSockets, ...limits }: SocketLimits & { callerSockets: number }): Access {
  const endpoint = `${base.pathname}${base.search}`;
  const sockets = poolSockets(
    (connectionParams) => createSocketClient(socketUrl(base, endpoint), { ...limits, connectionParams }),
    callerSockets,
  );
  return {
    endpoint,
    headersFor: async ({ forwarded = {} }) => forwarded,
    async subscribe(request) {
      const { client, leave } = sockets.take(request.identity.forwarded ?? {});
      return openSubscription(name, client, request, { onDone: leave });
    },
    close: async () => sockets.close(),
  };
}

interface SocketPool {
  /** The socket of the clients with equal propagated headers. Throws a Problem when too many are in use. */
  take: (forwarded: Record<string, string>) => { client: Client; leave: () => void };
  close: () => void;
}

/** A socket in use is never closed: its streams would end as if they were complete. */
function poolSockets(open: (forwarded: Record<string, string>) => Client, max: number): SocketPool {
  const inUse = new Map<string, { client: Client; streams: number }>();
  const idle = new LRUCache<string, Client>({
    max,
    ttl: IDLE_SOCKET_MS,
    ttlAutopurge: true,
    dispose: (client, _memo, reason) => void (reason !== 'delete' && client.dispose()),
  });

  function enter(memo: string, forwarded: Record<string, string>): { client: Client; streams: number } {
    const known = inUse.get(memo);
    if (known) return known;
    if (inUse.size >= max)
      throw new Problem('TOO_MANY_OPERATIONS', 'Too many callers have streams open. Try again later.', { retryable: true });
    const entered = { client: idle.get(memo) ?? open(forwarded), streams: 0 };
    idle.delete(memo);
    inUse.set(memo, entered);
    return entered;
  }

  return {
    take(forwarded) {
      const memo = JSON.stringify(forwarded);
      const entered = enter(memo, forwarded);
      entered.streams += 1;
      return {
        client: entered.client,
        leave() {
          entered.streams -= 1;
          if (entered.streams > 0) return;
          inUse.delete(memo);
          idle.set(memo, entered.client);
        },
      };
    },
    close() {
      for (const { client } of inUse.values()) void client.dispose();
      for (const client of idle.values()) void client.dispose();
      inUse.clear();
      idle.clear();
    },
  };
}

const socketUrl = ({ origin }: URL, endpoint: string): string => `${origin.replace(/^http/, 'ws')}${endpoint}`;

const contents = new WeakMap<Identity, string>();

/** The serialized identity: one operation sends the same one to several subgraphs, several times. */
function contentOf(identity: Identity): string {
  let content = contents.get(identity);
  if (content === undefined) contents.set(identity, (content = JSON.stringify(identity)));
  return content;
}

/** Reuses a signature per identity and purpose for half of its life. */
function createKeyring(audience: string): (identity: Identity, purpose: Purpose) => Promise<string> {
  const keys = new LRUCache<string, Promise<string>>({ max: REMEMBERED_IDENTITIES, ttl: KEY_REUSE_MS });
  return (identity, purpose) => {
    const memo = purpose + contentOf(identity);
    let key = keys.get(memo);
    if (!key) keys.set(memo, (key = signIdentity(identity, audience, purpose)));
    return key;
  };
}
