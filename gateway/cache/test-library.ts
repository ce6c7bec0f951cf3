import { parse, type ExecutionResult } from 'graphql';
import { composeSupergraph } from '../../schema/compose.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { createLog } from '#shared/base/log.ts';
import { plainSubgraph, type PlainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphRequest, SubgraphTransport } from '#shared/kit/transport.ts';
import { openEngine } from '../supergraph/open-engine.ts';
import type { Engine } from '../engine/types.ts';
import type { DedupeOptions } from '../dedupe/dedupe-operations.ts';
import { applySchemaRules, readSchemaRules } from '../supergraph/schema-rules.ts';
import type { EntityStore } from './entity-store.ts';

/* Notes that refer to books of another subgraph, with every kind of `@cacheControl`. For tests of the cache. */

const LINK = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9",
    import: ["@key", "@authenticated", "@requiresScopes", "@composeDirective", "@shareable"])
  @link(url: "https://example.org/cacheControl/v1.0", import: ["@cacheControl"])
  @composeDirective(name: "@cacheControl")
directive @cacheControl(maxAge: Int, scope: cacheControl__Scope, inheritMaxAge: Boolean) on FIELD_DEFINITION | OBJECT | INTERFACE | UNION
enum cacheControl__Scope { PUBLIC PRIVATE }
`;

const NOTES = `${LINK}
  type Query { notes(ids: [ID!]!): [Note!]! }
  type Mutation { touch(id: ID!): Note }
  type Note { book: Book  shelf: Shelf  diary: Diary }
  type Diary @key(fields: "id") { id: ID! }
  type Book @key(fields: "id") { id: ID! }
  type Shelf @key(fields: "id") { id: ID! }
`;

const bookSdl = (more: string): string => `${LINK}
  type Query { books: Int }
  type Book @key(fields: "id") @cacheControl(maxAge: 60, scope: PUBLIC) {
    id: ID!
    title: String
    pages(from: Int): Int
    brief: String @cacheControl(maxAge: 5)
    now: String @cacheControl(maxAge: 0)
    mine: String @cacheControl(maxAge: 60, scope: PRIVATE)
    guarded: String @authenticated
    scoped: String @requiresScopes(scopes: [["read"]])
    author: Author
    next: Book
    sequel: Book @cacheControl(inheritMaxAge: true)
    unhinted: Thing
    ${more}
  }
  type Author @cacheControl(inheritMaxAge: true) { name: String }
  type Thing { name: String }
  type Shelf @key(fields: "id") @cacheControl(maxAge: 60) { id: ID! name: String }
  type Diary @key(fields: "id") @cacheControl(maxAge: 60, scope: PRIVATE) { id: ID! mine: String }
`;

export interface Library {
  supergraphSdl: string;
  notes: PlainSubgraph;
  books: PlainSubgraph;
  /** Titles by id; tests change them. */
  titles: Map<string, string>;
  /** Holds a title that was read back until `until` resolves. */
  hold: { read: () => void; until: Promise<unknown> };
}

export function openLibrary({ more = '' }: { more?: string } = {}): Library {
  const titles = new Map(['a', 'b', 'c', 'd', 'e', 'f'].map((id) => [id, `Title ${id}`]));
  const hold: Library['hold'] = { read: () => undefined, until: Promise.resolve() };
  const notes = plainSubgraph({
    name: 'notes',
    typeDefs: NOTES,
    resolvers: {
      Query: { notes: (_root: unknown, { ids }: { ids: string[] }) => ids.map(noteOf) },
      Mutation: { touch: (_root: unknown, { id }: { id: string }) => noteOf(id) },
    },
  });
  const byId = ({ id }: { id: string }) => (titles.has(id) ? { id } : null);
  const viewerOf = ({ identity }: SubgraphRequest): string => identity.viewer?.id ?? 'nobody';
  const mine = (_object: unknown, _args: unknown, request: SubgraphRequest) => `of ${viewerOf(request)}`;
  const books = plainSubgraph({
    name: 'books',
    typeDefs: bookSdl(more),
    resolvers: {
      Query: { books: () => titles.size },
      Book: {
        __resolveReference: byId,
        async title({ id }: { id: string }) {
          const title = titles.get(id);
          hold.read();
          await hold.until;
          if (title === 'broken') throw new Error('broken');
          return title;
        },
        pages: (_book: unknown, { from = 0 }: { from?: number }) => 100 - from,
        brief: ({ id }: { id: string }) => `brief ${id}`,
        now: () => 'now',
        mine,
        guarded: (_book: unknown, _args: unknown, request: SubgraphRequest) => `for ${viewerOf(request)}`,
        scoped: (_book: unknown, _args: unknown, request: SubgraphRequest) => `for ${viewerOf(request)}`,
        author: ({ id }: { id: string }) => ({ name: `Author of ${id}` }),
        next: ({ id }: { id: string }) => byId({ id: String.fromCharCode(id.charCodeAt(0) + 1) }),
        sequel: ({ id }: { id: string }) => byId({ id: String.fromCharCode(id.charCodeAt(0) + 1) }),
        unhinted: () => ({ name: 'thing' }),
      },
      Diary: { __resolveReference: byId, mine },
      Shelf: { __resolveReference: byId, name: (_shelf: unknown, _args: unknown, request: SubgraphRequest) => `for ${viewerOf(request)}` },
    },
  });
  const supergraphSdl = composeSupergraph([notes, books].map(({ name, typeDefs }) => ({ name, typeDefs, url: `http://${name}/graphql` })));
  return { supergraphSdl, notes, books, titles, hold };
}

const noteOf = (id: string) => ({ book: { id }, shelf: { id }, diary: { id } });

interface Opening {
  store?: EntityStore | undefined;
  /** Replace the library's own. */
  transports?: Record<string, SubgraphTransport>;
  dedupe?: DedupeOptions;
}

/** An engine over the library with all schema rules. */
export function engineOf({ supergraphSdl, notes, books }: Library, { store, transports, dedupe }: Opening): Engine {
  const all = { notes, books, ...transports };
  const core = openEngine({ supergraphSdl, transports: all, entityStore: store, log: createLog('test') });
  return applySchemaRules(core, readSchemaRules(supergraphSdl, core.schema), dedupe);
}

type BookResults = ExecutionResult & { data: { notes: Record<string, Record<string, unknown> | null>[] } };

export const ask = async (engine: Engine, source: string, viewer: Viewer | null = null): Promise<BookResults> =>
  (await engine.execute({
    source,
    document: parse(source),
    variables: {},
    identity: { issuer: 'gateway', viewer },
    correlationId: 'test',
    deadline: Date.now() + 20_000,
  })) as BookResults;

export const reading = (fields: string, ...ids: string[]): string => `{ notes(ids: ${JSON.stringify(ids)}) { book { ${fields} } } }`;

/** Ids requested from the subgraph of books, by fetch. */
export const requestedIds = ({ books }: Library): string[][] =>
  books.asked.map(({ variables }) => (variables!['representations'] as { id: string }[]).map(({ id }) => id));

/** A library whose subgraph of books marks every response as viewer-independent for that many seconds. */
export function markingAsShared(library: Library, store: EntityStore, seconds: () => number): Engine {
  const execute: SubgraphTransport['execute'] = async (request) => ({
    ...(await library.books.execute(request)),
    extensions: { sameForAllSeconds: seconds() },
  });
  return engineOf(library, { store, transports: { books: { ...library.books, execute } } });
}
