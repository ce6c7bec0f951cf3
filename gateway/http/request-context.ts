import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { Problem } from '#shared/base/errors.ts';
import type { Identity, Viewer } from '#shared/base/identity.ts';
import { COST_HEADER } from '../cost/with-cost.ts';
import type { RequestContext } from '../supergraph/apollo-server.ts';
import type { GatewayOptions } from '../options.ts';
import { useClient } from '../plugins/use-client.ts';
import { usePropagatedHeaders, type UsePropagatedHeaders } from '../plugins/use-propagated-headers.ts';
import { useApiKeys, type UseApiKeys } from '../plugins/use-api-keys.ts';
import { useAllowedOrigins } from '../plugins/use-allowed-origins.ts';
import { isEnded } from '../plugins/use-revocations.ts';
import { anonymousViewers, useViewer, type Session, type UseViewer } from '../plugins/use-viewer.ts';

/** Reads viewer, client, API key and propagated headers of requests. */
export interface RequestContexts {
  viewers: UseViewer;
  clientOf: (request: IncomingMessage) => Identity['client'];
  forwardedOf: UsePropagatedHeaders;
  accessOf: UseApiKeys;
  /** True when a page of this origin may call. */
  isAllowedOrigin: (headers: IncomingMessage['headers']) => boolean;
  /** Of an HTTP request. Throws or rejects with UNAUTHENTICATED when the API key or the token is invalid, or the session has ended. */
  contextOf: (request: FastifyRequest) => RequestContext | Promise<RequestContext>;
}

type RequestContextsOptions = Pick<
  GatewayOptions,
  'accessTokenPublicKey' | 'trustedProxies' | 'forwardHeaders' | 'corsOrigins' | 'isRevoked' | 'keys' | 'requiresKey' | 'log'
>;

export function createRequestContexts(options: RequestContextsOptions, timeoutMs: number): RequestContexts {
  const { accessTokenPublicKey, trustedProxies = 0, forwardHeaders = [], corsOrigins = [], isRevoked, log } = options;
  const viewers = accessTokenPublicKey === null ? anonymousViewers : useViewer({ publicKey: accessTokenPublicKey });
  const clientOf = useClient({ trustedProxies });
  const forwardedOf = usePropagatedHeaders(forwardHeaders);
  const accessOf = useApiKeys({ keys: options.keys, isRequired: options.requiresKey });
  return {
    viewers,
    clientOf,
    forwardedOf,
    accessOf,
    isAllowedOrigin: useAllowedOrigins(corsOrigins, log),
    contextOf(request) {
      const session = viewers.fromHeaders(request.raw.rawHeaders);
      // An anonymous viewer needs no lookup.
      return 'viewer' in session && session.viewer === null ? contextFor(request, null) : signedIn(request, session);
    },
  };

  async function signedIn(request: FastifyRequest, session: Session | Promise<Session>): Promise<RequestContext> {
    const { viewer } = await session;
    if (await isEnded(viewer, isRevoked)) throw new Problem('UNAUTHENTICATED', 'The session has ended. Sign in again.');
    return contextFor(request, viewer);
  }

  function contextFor({ raw, id }: FastifyRequest, viewer: Viewer | null): RequestContext {
    const access = accessOf(raw.headers);
    const client = { ...clientOf(raw), apiKey: access.holder };
    const identity: Identity = { issuer: 'gateway', viewer, client, forwarded: forwardedOf(raw.headers) };
    const wantsCost = raw.headers[COST_HEADER] === 'report';
    return { ...access, identity, correlationId: id, deadline: Date.now() + timeoutMs, wantsCost };
  }
}
