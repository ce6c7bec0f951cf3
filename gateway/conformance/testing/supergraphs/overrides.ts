import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const POSTS = [
  { __typename: 'TextPost', id: '1', title: 'old one', words: 3, author: 'Ada' },
  { __typename: 'ImagePost', id: '2', title: 'old two', width: 640, author: 'Bo' },
];
const TITLES: Record<string, string> = { 1: 'one', 2: 'two', 3: 'three' };

const post = ({ id }: { id: string }) => rowOf(POSTS, { id });

const old = plainSubgraph({
  name: 'old',
  typeDefs: `${link('key')}
    type Query { feed: [Post!]!  oldest: Post }
    interface Post { id: ID!  title: String!  author: String }
    type TextPost implements Post @key(fields: "id") { id: ID!  title: String!  author: String  words: Int }
    type ImagePost implements Post @key(fields: "id") { id: ID!  title: String!  author: String  width: Int! }
  `,
  resolvers: {
    Query: { feed: () => POSTS, oldest: () => POSTS[0] },
    TextPost: { __resolveReference: post },
    ImagePost: { __resolveReference: post },
  },
});

const current = plainSubgraph({
  name: 'current',
  typeDefs: `${link('key', 'override', 'requires', 'external')}
    type Query { feed: [Post!]! @override(from: "old")  newest: Post }
    interface Post { id: ID!  title: String! }
    type TextPost implements Post @key(fields: "id") {
      id: ID!
      author: String @external
      title: String! @override(from: "old")
      byline: String @requires(fields: "author")
      words: Int @override(from: "old")
    }
    type ImagePost implements Post @key(fields: "id") { id: ID!  title: String! @override(from: "old")  alt(long: Boolean! = false): String }
  `,
  resolvers: {
    Query: {
      feed: () => [
        { __typename: 'ImagePost', id: '2' },
        { __typename: 'TextPost', id: '1' },
        { __typename: 'TextPost', id: '3' },
      ],
      newest: () => ({ __typename: 'TextPost', id: '3' }),
    },
    TextPost: {
      title: ({ id }: { id: string }) => TITLES[id],
      byline: ({ author }: { author: string | null }) => (author ? `by ${author}` : null),
      words: ({ id }: { id: string }) => Number(id) * 100,
    },
    ImagePost: {
      title: ({ id }: { id: string }) => TITLES[id],
      alt: ({ id }: { id: string }, { long }: { long: boolean }) => `image ${long ? TITLES[id] : id}`,
    },
  },
});

/** Fields with @override: both subgraphs resolve them, with different values. */
export const overrides: TestSupergraph = { name: 'overrides', subgraphs: [old, current] };
