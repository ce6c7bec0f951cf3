import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Problem } from '#shared/base/errors.ts';

/** The parts of a request that identify its document. */
interface RequestText {
  query?: unknown;
  extensions?: unknown;
}

/** Operations known to the gateway by their hash. */
export interface PersistedOperations {
  readonly bodies: readonly string[];
  byHash: (hash: string) => string | undefined;
  /**
   * The source of a request: the persisted one for its hash, or its own; undefined when it has neither. Throws a Problem when the hash is
   * invalid or unknown, or the source is not allowed.
   */
  sourceFor: (request: RequestText) => string | undefined;
}

interface Options {
  /** As Apollo's tools write it: `{ operations: [{ id, body }] }`, where an id is the SHA-256 of its body. */
  manifest?: unknown;
  /** Refuses every other operation before it is parsed. Default false. */
  persistedOnly?: boolean;
}

const Manifest = z.object({ operations: z.array(z.object({ id: z.string(), body: z.string().min(1) })) });
const PersistedQuery = z.object({ version: z.literal(1).optional(), sha256Hash: z.string().min(1) });
const Extensions = z.object({ persistedQuery: z.unknown() }).catch({ persistedQuery: undefined });

/** Throws when the manifest is invalid, or an id is not the hash of its body. */
export function createPersistedOperations({ manifest = { operations: [] }, persistedOnly = false }: Options = {}): PersistedOperations {
  const { operations } = Manifest.parse(manifest);
  const byHash = new Map(operations.map(({ id, body }) => [id, body]));
  const bodies = new Set(byHash.values());
  for (const [id, body] of byHash) {
    if (hashOf(body) !== id) throw new Error(`The id ${id} is not the SHA-256 of its operation.`);
  }

  return {
    bodies: [...bodies],
    byHash: (hash) => byHash.get(hash),
    sourceFor({ query, extensions }) {
      const persistedQuery = extensions === undefined ? undefined : hashIn(extensions);
      if (typeof query === 'string' && query !== '') {
        if (persistedQuery && persistedQuery.sha256Hash !== hashOf(query))
          throw new Problem('BAD_REQUEST', 'The hash is not that of the text.');
        if (persistedOnly && !bodies.has(query))
          throw new Problem('UNKNOWN_OPERATION', 'Only operations that are known here are answered.');
        return query;
      }
      const body = persistedQuery && byHash.get(persistedQuery.sha256Hash);
      if (persistedQuery && body === undefined) throw unknownHash(byHash.size);
      return body;
    },
  };
}

function hashIn(extensions: unknown): z.infer<typeof PersistedQuery> | undefined {
  const { persistedQuery } = Extensions.parse(extensions);
  if (persistedQuery === undefined || persistedQuery === null) return undefined;
  const { data } = PersistedQuery.safeParse(persistedQuery);
  if (!data) throw new Problem('BAD_REQUEST', 'extensions.persistedQuery must hold version 1 and the sha256Hash of the text.');
  return data;
}

/** Clients cannot register operations: a client that relied on it would send each one twice, for ever. */
const unknownHash = (known: number): Problem =>
  known > 0
    ? new Problem('PERSISTED_QUERY_NOT_FOUND', 'No operation with this hash is known here.')
    : new Problem('PERSISTED_QUERY_NOT_SUPPORTED', 'No operations are known here by their hashes: send the text.');

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
