import type { Guide } from './playground/guide.ts';
import type { AdmissionLimits } from '#shared/base/admission.ts';
import type { Check } from '#shared/base/health.ts';
import type { Log } from '#shared/base/log.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import type { RouteEntry } from '#shared/kit/define-route.ts';
import type { EntityStore } from './cache/entity-store.ts';
import type { Engine, EngineOptions, Operation } from './engine/types.ts';
import type { DedupeOptions } from './dedupe/dedupe-operations.ts';
import type { PersistedOperations } from './supergraph/persisted-operations.ts';
import type { ApiKey } from './plugins/use-api-keys.ts';
import type { Limits } from './plugins/use-limits.ts';
import type { SubgraphErrors } from './engine/subgraph-errors.ts';
import type { IsRevoked } from './plugins/use-revocations.ts';

export interface GatewayOptions {
  supergraphSdl: string;
  /** By subgraph name. A missing transport costs only the fields of its subgraph. */
  transports: Readonly<Record<string, SubgraphTransport>>;
  /** PEM (SPKI) of the public key of access tokens; `null` makes every caller anonymous. */
  accessTokenPublicKey: string | null;
  /** 0 takes a free port. */
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** API keys and the access of each. Default: keys are ignored. */
  keys?: readonly ApiKey[];
  /** Refuses requests without an API key. Default false. */
  requiresKey?: boolean;
  isRevoked?: IsRevoked;
  /** Interval of the revocation check of open sockets. Default 10,000. */
  revocationCheckMs?: number;
  /** Origins of web pages that may call. Default none. */
  corsOrigins?: readonly string[];
  /** Number of proxies in front whose `x-forwarded-for` is trusted. Default 0. */
  trustedProxies?: number;
  /** Hides the schema from anonymous callers. Default false. */
  production?: boolean;
  /** GraphiQL for browsers. Default: not in production. */
  playground?: boolean;
  /** Examples, sign-in and link pages of the playground. */
  guide?: Guide;
  /** Further checks of /health and /ready. */
  checks?: Readonly<Record<string, () => Promise<Check>>>;
  /** Time limit of a whole request. Default 30,000. */
  timeoutMs?: number;
  /** Scalars whose values are checked before any subgraph fetch. Default: Soko's own. */
  scalars?: EngineOptions['scalars'];
  /** Operations that are planned at the start and may be requested by their hash. Default none. */
  persistedOperations?: PersistedOperations;
  /** File that keeps their query plans between restarts. Default: none. */
  queryPlansFile?: string;
  /** Limits of one operation, one message and one socket. Default: `LIMITS`. */
  limits?: Limits;
  /** Headers of clients that are propagated to external subgraphs. Default none. */
  forwardHeaders?: readonly string[];
  /** How errors of subgraphs without a code are reported to clients. Default: masked. */
  subgraphErrors?: SubgraphErrors;
  /**
   * `worker`: new operations are planned in a thread of its own, and no request waits for the planning of others. Default: in process,
   * which starts faster.
   */
  planning?: 'worker' | 'in-process';
  /** Default: Soko's own. */
  openEngine?: (options: EngineOptions) => Engine | Promise<Engine>;
  /** What of the viewer the events of a subscription depend on: equal scopes share a stream. Default: what the supergraph says. */
  scopeOf?: (operation: Operation) => string;
  /** Heartbeat interval of streams over HTTP. Default 10,000. */
  heartbeatMs?: number;
  /** Which equal work in flight runs once. */
  dedupe?: DedupeOptions;
  /** Cache of viewer-independent entities, shared by all gateways. Default: none. */
  entityStore?: EntityStore | undefined;
  /** Routes of the subgraphs: webhooks, event streams, downloads, files. Mounted at the start; a reload keeps them. Default none. */
  routes?: readonly RouteEntry[];
  /** Operations that run at a time, and that may wait. Default 1,000 and 2,000. */
  admission?: AdmissionLimits;
  /** Open sockets per address and per viewer. Default 10,000 and 100. */
  sockets?: { perAddress: number; perViewer: number };
  log?: Log;
}
