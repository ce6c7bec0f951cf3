import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const POSTS = [
  { __typename: 'Photo', id: 'p1', title: 'Lake', width: 4 },
  { __typename: 'Poem', id: 'p2', title: 'Night', lines: 8 },
];

const posts = plainSubgraph({
  name: 'posts',
  typeDefs: `${link('key')}
    type Query { posts: [Post!]! }
    interface Post @key(fields: "id") { id: ID!  title: String }
    type Photo implements Post @key(fields: "id") { id: ID!  title: String  width: Int! }
    type Poem implements Post @key(fields: "id") { id: ID!  title: String  lines: Int! }
  `,
  resolvers: {
    Query: { posts: () => POSTS },
    Post: { __resolveReference: (reference: object) => rowOf(POSTS, reference) },
    Photo: { __resolveReference: (reference: object) => rowOf(POSTS, reference) },
    Poem: { __resolveReference: (reference: object) => rowOf(POSTS, reference) },
  },
});

const likes = plainSubgraph({
  name: 'likes',
  typeDefs: `${link('key', 'interfaceObject')}
    type Query { liked: [Post!]!  best: Post }
    type Post @key(fields: "id", resolvable: false) @interfaceObject { id: ID! }
  `,
  resolvers: {
    Query: {
      liked: () => [{ id: 'p1' }, { id: 'lost' }],
      best: () => ({ id: 'lost' }),
    },
  },
});

/** An interface that another subgraph knows as an object without a resolvable key; one of its references leads to no object. */
export const unknownObjects: TestSupergraph = { name: 'unknown-objects', subgraphs: [posts, likes] };
