import { z } from 'zod';
import { pem } from '#shared/base/env.ts';
import type { Limits } from './plugins/use-limits.ts';

/** Wider than ours: what others ask of their subgraphs is not known here. A cost says nothing where lists do not tell their size. */
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
const LONGEST_TIMEOUT_MS = 24 * 60 * 60 * 1_000;

export const ServeEnvironment = z.object({
  ACCESS_TOKEN_PUBLIC_KEY: pem,
  API_KEYS_FILE: z.string().optional(),
  PORT: z.coerce.number().int().min(0).max(65_535).default(DEFAULT_PORT),
  HOST: z.string().default('127.0.0.1'),
  /** Fields and fragments of one operation, each as often as it is spread. */
  MAX_EXPANDED_FIELDS: z.coerce.number().int().min(1).default(LIMITS.expanded),
  /** Messages of errors of subgraphs are shown to clients; by default with `--open` only. */
  EXPOSE_ERRORS: z.stringbool().optional(),
  /** Longest time for a whole request, hence for each answer of a subgraph. */
  REQUEST_TIMEOUT_MS: z.coerce.number().int().min(1).max(LONGEST_TIMEOUT_MS).default(30_000),
  /** Longest time to open a connection to a subgraph. */
  SUBGRAPH_CONNECT_TIMEOUT_MS: z.coerce.number().int().min(1).max(LONGEST_TIMEOUT_MS).default(2_000),
  /** Connections kept open to each subgraph. */
  SUBGRAPH_CONNECTIONS: z.coerce.number().int().min(1).max(10_000).default(32),
  /** Sockets for subscriptions to each subgraph: one for each set of headers that is handed on. */
  SUBGRAPH_SOCKETS: z.coerce.number().int().min(1).max(100_000).default(500),
  /** Largest answer of a subgraph that is read, in bytes. */
  SUBGRAPH_ANSWER_BYTES: z.coerce
    .number()
    .int()
    .min(1)
    .default(16 * 1024 * 1024),
});
