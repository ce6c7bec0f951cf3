import { z } from 'zod';
import { pem } from '#shared/base/env.ts';
import type { Limits } from './plugins/use-limits.ts';

/**
 * Wider than Soko's own, since operations on external subgraphs are unknown. No cost limit: it means nothing where lists have no
 * `@listSize`.
 */
export const LIMITS: Limits = {
  expanded: 20_000,
  tokens: 15_000,
  aliases: 500,
  directives: 200,
  depth: 60,
  cost: Number.POSITIVE_INFINITY,
  bodyBytes: 2 * 1024 * 1024,
  socketMessageBytes: 1024 * 1024,
  operationsPerSocket: 500,
};

const DEFAULT_PORT = 4000;
const MAX_TIMEOUT_MS = 24 * 60 * 60 * 1_000;

export const ServeEnvironment = z.object({
  ACCESS_TOKEN_PUBLIC_KEY: pem,
  API_KEYS_FILE: z.string().optional(),
  PORT: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  HOST: z.string().default('127.0.0.1'),
  /** Fields and fragments of one operation, with fragments expanded. */
  MAX_EXPANDED_FIELDS: z.coerce.number().int().min(1).default(LIMITS.expanded),
  /** Shows error messages of subgraphs to clients. Default: only with `--open`. */
  EXPOSE_ERRORS: z.stringbool().optional(),
  /** Time limit of a whole request, hence of each subgraph fetch. */
  REQUEST_TIMEOUT_MS: z.coerce.number().int().min(1).max(MAX_TIMEOUT_MS).default(30_000),
  /** Time limit for opening a connection to a subgraph. */
  SUBGRAPH_CONNECT_TIMEOUT_MS: z.coerce.number().int().min(1).max(MAX_TIMEOUT_MS).default(2_000),
  /** Connections kept open per subgraph. */
  SUBGRAPH_CONNECTIONS: z.coerce.number().int().min(1).max(10_000).default(32),
  /** Sockets for subscriptions per subgraph: one per set of propagated headers. */
  SUBGRAPH_SOCKETS: z.coerce.number().int().min(1).max(100_000).default(500),
  /** Largest response of a subgraph, in bytes. */
  SUBGRAPH_ANSWER_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(16 * 1024 * 1024),
});
