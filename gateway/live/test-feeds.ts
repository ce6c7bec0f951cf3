import { Problem } from '#shared/base/errors.ts';
import type { Positioned } from '#shared/base/filter-stream.ts';
import { plainSubgraph, type PlainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';

interface Entry {
  cursor: string;
  feed: string;
  text: string;
}

type Source = AsyncIterableIterator<Entry> & Positioned;

/** Feeds that keep their entries like the kit's topics, and a second subgraph that joins each entry. For tests of streams. */
export interface TestFeeds {
  feeds: PlainSubgraph;
  names: PlainSubgraph;
  all: PlainSubgraph[];
  say: (feed: string, text: string) => void;
  /** Number of open streams. */
  open: () => number;
  /** Resolves when that many streams are open. */
  streams: (count: number) => Promise<void>;
  /** Number of requests to the second subgraph. */
  joins: () => number;
}

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@composeDirective"])\n';
const COALESCE = `extend schema @link(url: "https://soko.example/coalesce/v1.0", import: ["@coalesce"]) @composeDirective(name: "@coalesce")
  directive @coalesce on FIELD_DEFINITION`;

export function testFeeds(): TestFeeds {
  const kept = createKept();
  const feeds = plainSubgraph({
    name: 'feeds',
    typeDefs: `${LINK}${COALESCE}
      type Query { feed(id: ID!): Feed }
      type Feed @key(fields: "id") { id: ID! }
      type Entry { text: String!  feed: Feed!  seenBy: String }
      type Subscription { said(feed: ID!, after: String): Entry!  moved(feed: ID!, after: String): Entry! @coalesce  forgotten(feed: ID!): Entry  counted(to: Int!): Int! }
    `,
    resolvers: {
      Query: { feed: (_root: unknown, { id }: { id: string }) => ({ id }) },
      Subscription: {
        counted: {
          async *subscribe(_root: unknown, { to }: { to: number }) {
            for (let counted = 1; counted <= to; counted += 1) yield { counted };
          },
        },
        said: { subscribe: kept.subscribe, resolve: (entry: Entry) => entry },
        moved: { subscribe: kept.subscribe, resolve: (entry: Entry) => entry },
        forgotten: {
          subscribe: (_root: unknown, args: { feed: string }) => withoutCursor(kept.subscribe(_root, args)),
          resolve: (entry: Entry) => entry,
        },
      },
      Entry: {
        feed: ({ feed }: Entry) => ({ id: feed }),
        seenBy: (_entry: Entry, _args: unknown, { identity }: SubgraphRequest) => identity.viewer?.id ?? null,
      },
    },
  });
  const names = plainSubgraph({
    name: 'names',
    typeDefs: `${LINK} type Query { named: Feed }  type Feed @key(fields: "id") { id: ID!  name: String! }`,
    resolvers: {
      Query: { named: () => null },
      Feed: { __resolveReference: ({ id }: { id: string }) => ({ id, name: `feed ${id}` }) },
    },
  });
  return { feeds, names, all: [feeds, names], say: kept.say, open: kept.open, streams: kept.streams, joins: () => names.asked.length };
}

function createKept() {
  const entries: Entry[] = [];
  const readers = new Set<() => void>();
  const waiting = new Set<() => void>();
  let open = 0;
  const change = (by: number): void => {
    open += by;
    for (const look of waiting) look();
  };

  function subscribe(_root: unknown, { feed, after }: { feed: string; after?: string | null }): Source {
    const isExpired = after !== undefined && after !== null && Number(after) > entries.length;
    let next = isExpired || after === undefined || after === null ? entries.length : Number(after);
    const start = String(next);
    let ended = false;
    let wake = (): void => undefined;
    const look = (): void => wake();
    readers.add(look);
    change(1);
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      position: async () => (isExpired ? undefined : start),
      async next() {
        if (isExpired) {
          await this.return!();
          throw new Problem('CURSOR_EXPIRED', 'It is not kept any more.');
        }
        for (;;) {
          const entry = ended ? undefined : entries[next];
          if (ended) return { done: true, value: undefined };
          if (!entry) await new Promise<void>((resolve) => (wake = resolve));
          else next += 1;
          if (entry?.feed === feed) return { done: false, value: entry };
        }
      },
      async return() {
        if (!ended) change(-1);
        ended = true;
        readers.delete(look);
        wake();
        return { done: true, value: undefined };
      },
    };
  }

  return {
    subscribe,
    say(feed: string, text: string) {
      entries.push({ feed, text, cursor: String(entries.length + 1) });
      for (const look of readers) look();
    },
    open: () => open,
    streams: (count: number) =>
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (open !== count) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
  };
}

/** Like an external subgraph: its streams have no cursor. */
function withoutCursor(source: Source): AsyncIterableIterator<Omit<Entry, 'cursor'>> {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const { done, value } = await source.next();
      return done ? { done, value } : { done: false, value: { feed: value.feed, text: value.text } };
    },
    return: () => source.return!(),
  };
}
