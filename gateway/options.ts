import type { Guide } from './playground/guide.ts';
import type { AdmissionLimits } from '#shared/base/admission.ts';
import type { Check } from '#shared/base/health.ts';
import type { Log } from '#shared/base/log.ts';
import type { SubgraphTransport } from '#shared/kit/transport.ts';
import type { UploadSettings } from '#shared/uploads/uploads.ts';
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
  /** By the name of the subgraph; one that is missing costs its fields only. */
  transports: Readonly<Record<string, SubgraphTransport>>;
  /** PEM (SPKI) of the key that access tokens are signed with; `null` when nobody is asked who they are. */
  accessTokenPublicKey: string | null;
  /** 0 takes a free one. */
  port: number;
  /** Default 127.0.0.1. */
  host?: string;
  /** Which programs there are, and what each of them gets. Default: nobody's key is looked at. */
  keys?: readonly ApiKey[];
  /** Refuses who has no key. Default false. */
  requiresKey?: boolean;
  isRevoked?: IsRevoked;
  /** How often open sockets are looked at for that. Default 10,000. */
  revocationCheckMs?: number;
  /** Web pages of other origins that may call. Default none. */
  corsOrigins?: readonly string[];
  /** Proxies in front whose `x-forwarded-for` is believed. Default 0. */
  trustedProxies?: number;
  /** Hides the schema from anonymous callers. Default false. */
  production?: boolean;
  /** GraphiQL for browsers. Default: not in production. */
  playground?: boolean;
  /** What the playground shows beside GraphiQL. */
  guide?: Guide;
  /** What else /health and /ready report on. */
  checks?: Readonly<Record<string, () => Promise<Check>>>;
  /** Longest time for a whole request. Default 30,000. */
  timeoutMs?: number;
  /** Scalars whose values are checked before any subgraph is asked. Default: Soko's own. */
  scalars?: EngineOptions['scalars'];
  /** Operations that are planned before anybody asks, and may be asked by their hash. Default none. */
  persistedOperations?: PersistedOperations;
  /** Where the plans of these are kept, so that a restart needs no planning. Default: nowhere. */
  queryPlansFile?: string;
  /** What one operation, one message and one socket may be at most. Default: `LIMITS`. */
  limits?: Limits;
  /** Headers of clients that are handed on to subgraphs which are not ours. Default none. */
  forwardHeaders?: readonly string[];
  /** How errors of subgraphs without a code are told to clients. Default: as faults of ours. */
  subgraphErrors?: SubgraphErrors;
  /** `worker`: new texts are planned in a thread of its own, and nobody waits for those of others. Default: here, which starts faster. */
  planning?: 'worker' | 'here';
  /** Default: Soko's own. */
  openEngine?: (options: EngineOptions) => Engine | Promise<Engine>;
  /** What of the viewer the events of a subscription depend on: equal ones share a stream. Default: what the supergraph says. */
  scopeOf?: (operation: Operation) => string;
  /** How often streams over HTTP show that they are alive. Default 10,000. */
  heartbeatMs?: number;
  /** What is done once for all who ask for the same at the same time. */
  dedupe?: DedupeOptions;
  /** Where entities that are the same for everybody are kept, between requests and for all gateways. Default: nowhere. */
  entityStore?: EntityStore | undefined;
  /** Where files are handed in and read, when they are kept in a folder; this is then the public door to it. */
  uploads?: UploadSettings;
  /** How many operations run at a time, and how many may wait for that. Default 1,000 and 2,000. */
  admission?: AdmissionLimits;
  /** Sockets that are open at a time, of one address and of one viewer. Default 10,000 and 100. */
  sockets?: { perAddress: number; perViewer: number };
  log?: Log;
}
