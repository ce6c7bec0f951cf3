import { createHash } from 'node:crypto';
import { z } from 'zod';
import { Problem } from '../shared/errors.ts';

/** What a request may carry of its text. */
interface Asked {
  query?: unknown;
  extensions?: unknown;
}

/** The operations that clients are known to send. */
export interface KnownOperations {
  readonly bodies: readonly string[];
  byHash: (hash: string) => string | undefined;
  /**
   * The text that a request means: the known one whose hash it sends, or its own; undefined when it has neither. Throws a Problem when the hash
   * is not known, or the text may not be asked.
   */
  textOf: (asked: Asked) => string | undefined;
}

interface Options {
  /** As Apollo's tools write it: `{ operations: [{ id, body }] }`, an id being the SHA-256 of its body. */
  manifest?: unknown;
  /** Every other text is refused, before it is read. Default false. */
  only?: boolean;
}

const Manifest = z.object({ operations: z.array(z.object({ id: z.string(), body: z.string().min(1) })) });
const Extensions = z.object({ persistedQuery: z.object({ sha256Hash: z.string() }).optional() }).catch({});

/** Throws when the manifest is none, or an id is not the hash of its body. */
export function knownOperations({ manifest = { operations: [] }, only = false }: Options = {}): KnownOperations {
  const { operations } = Manifest.parse(manifest);
  const byHash = new Map(operations.map(({ id, body }) => [id, body]));
  const bodies = new Set(byHash.values());
  for (const [id, body] of byHash) {
    if (hashOf(body) !== id) throw new Error(`The id ${id} is not the SHA-256 of its operation.`);
  }

  return {
    bodies: [...bodies],
    byHash: (hash) => byHash.get(hash),
    textOf({ query, extensions }) {
      const { persistedQuery } = extensions === undefined ? {} : Extensions.parse(extensions);
      if (typeof query === 'string' && query !== '') {
        if (persistedQuery && persistedQuery.sha256Hash !== hashOf(query))
          throw new Problem('BAD_REQUEST', 'The hash is not that of the text.');
        if (only && !bodies.has(query)) throw new Problem('UNKNOWN_OPERATION', 'Only operations that are known here are answered.');
        return query;
      }
      const body = persistedQuery && byHash.get(persistedQuery.sha256Hash);
      if (persistedQuery && body === undefined)
        throw new Problem('PERSISTED_QUERY_NOT_FOUND', 'No operation with this hash is known here.');
      return body;
    },
  };
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
