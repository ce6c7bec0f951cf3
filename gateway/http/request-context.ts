import type { IncomingMessage } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { Problem } from '#shared/base/errors.ts';
import type { Identity, Viewer } from '#shared/base/identity.ts';
import { COST_HEADER } from '../cost/with-cost.ts';
import type { RequestContext } from '../supergraph/apollo-server.ts';
import type { GatewayOptions } from '../options.ts';
import { useClient } from '../plugins/use-client.ts';
import { useForwarded, type UseForwarded } from '../plugins/use-propagated-headers.ts';
import { useKeys, type UseKeys } from '../plugins/use-api-keys.ts';
import { useOrigins } from '../plugins/use-allowed-origins.ts';
import { isEnded } from '../plugins/use-revocations.ts';
import { anonymousViewers, useViewer, type Session, type UseViewer } from '../plugins/use-viewer.ts';

/** Who asks, from where, and what is to be known of it behind the gateway. */
export interface Callers {
  viewers: UseViewer;
  clientOf: (request: IncomingMessage) => Identity['client'];
  forwardedOf: UseForwarded;
  accessOf: UseKeys;
  /** Whether a page of this origin may call. */
  isWelcome: (headers: IncomingMessage['headers']) => boolean;
  /** Of a request over HTTP. Throws, or rejects with, UNAUTHENTICATED when its key or its token is not valid, or its session has ended. */
  contextOf: (request: FastifyRequest) => RequestContext | Promise<RequestContext>;
}

type CallersOptions = Pick<
  GatewayOptions,
  'accessTokenPublicKey' | 'trustedProxies' | 'forwardHeaders' | 'corsOrigins' | 'isRevoked' | 'keys' | 'requiresKey' | 'log'
>;

export function createCallers(options: CallersOptions, timeoutMs: number): Callers {
  const { accessTokenPublicKey, trustedProxies = 0, forwardHeaders = [], corsOrigins = [], isRevoked, log } = options;
  const viewers = accessTokenPublicKey === null ? anonymousViewers : useViewer({ publicKey: accessTokenPublicKey });
  const clientOf = useClient({ trustedProxies });
  const forwardedOf = useForwarded(forwardHeaders);
  const accessOf = useKeys({ keys: options.keys, isRequired: options.requiresKey });
  return {
    viewers,
    clientOf,
    forwardedOf,
    accessOf,
    isWelcome: useOrigins(corsOrigins, log),
    contextOf(request) {
      const session = viewers.fromHeaders(request.raw.rawHeaders);
      // Who has not signed in need not wait.
      return 'viewer' in session && session.viewer === null ? contextFor(request, null) : signedIn(request, session);
    },
  };

  async function signedIn(request: FastifyRequest, session: Session | Promise<Session>): Promise<RequestContext> {
    const { viewer } = await session;
    if (await isEnded(viewer, isRevoked)) throw new Problem('UNAUTHENTICATED', 'The session has ended. Sign in again.');
    return contextFor(request, viewer);
  }

  function contextFor({ raw, id }: FastifyRequest, viewer: Viewer | null): RequestContext {
    const identity: Identity = { issuer: 'gateway', viewer, client: clientOf(raw), forwarded: forwardedOf(raw.headers) };
    const wantsCost = raw.headers[COST_HEADER] === 'report';
    return { ...accessOf(raw.headers), identity, correlationId: id, deadline: Date.now() + timeoutMs, wantsCost };
  }
}
