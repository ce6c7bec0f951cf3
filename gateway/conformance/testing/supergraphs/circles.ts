import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const PEOPLE = [
  { id: '1', name: 'Ada', friends: ['2', '3'], best: '2' },
  { id: '2', name: 'Bo', friends: ['1'], best: '1' },
  { id: '3', name: null, friends: [], best: '3' },
];
const GROUPS = [
  { id: 'g1', lead: '1', members: ['1', '2', '3'], parent: 'g2' },
  { id: 'g2', lead: '3', members: ['2'], parent: 'g1' },
];
const person = (reference: object) => rowOf(PEOPLE, { id: (reference as { id: string }).id });
const group = (reference: object) => rowOf(GROUPS, { id: (reference as { id: string }).id });

const people = plainSubgraph({
  name: 'people',
  typeDefs: `${link('key')}
    type Query { people: [Person!]!  person(id: ID!): Person }
    interface Named { name: String }
    type Person implements Named @key(fields: "id") { id: ID!  name: String  friends(first: Int = 5): [Person!]!  best: Person }
  `,
  resolvers: {
    Query: { people: () => PEOPLE, person: (_root: unknown, reference: object) => person(reference) },
    Person: {
      __resolveReference: person,
      friends: ({ friends }: { friends: string[] }, { first }: { first: number | null }) =>
        friends.slice(0, Math.max(0, first ?? 5)).map((id) => person({ id })),
      best: ({ best }: { best: string }) => person({ id: best }),
    },
  },
});

const groups = plainSubgraph({
  name: 'groups',
  typeDefs: `${link('key')}
    type Query { groups: [Group!]! }
    type Group @key(fields: "id") { id: ID!  lead: Person!  members: [Person!]!  parent: Group }
    type Person @key(fields: "id") { id: ID!  groups: [Group!]!  leads: Group }
  `,
  resolvers: {
    Query: { groups: () => GROUPS },
    Group: {
      __resolveReference: group,
      lead: ({ lead: id }: { lead: string }) => ({ id }),
      members: ({ members }: { members: string[] }) => members.map((id) => ({ id })),
      parent: ({ parent }: { parent: string }) => group({ id: parent }),
    },
    Person: {
      groups: ({ id }: { id: string }) => GROUPS.filter(({ members }) => members.includes(id)),
      leads: ({ id }: { id: string }) => rowOf(GROUPS, { lead: id }),
    },
  },
});

const titles = plainSubgraph({
  name: 'titles',
  typeDefs: `${link('key', 'external', 'requires')}
    type Group @key(fields: "id") { id: ID!  lead: Person! @external  title: String @requires(fields: "lead { id name }") }
    type Person @key(fields: "id") { id: ID!  name: String @external  leads: Group @external  signature: String @requires(fields: "name leads { id lead { name } }") }
  `,
  resolvers: {
    Group: { title: ({ id, lead }: { id: string; lead: { name: string | null } }) => lead.name && `${id} of ${lead.name}` },
    Person: {
      signature: ({ name, leads }: { name: string | null; leads: { id: string; lead: { name: string | null } } | null }) =>
        `${name}, ${leads ? `${leads.id} ${leads.lead.name}` : 'nobody'}`,
    },
  },
});

/** Types that refer to each other over subgraphs in cycles. */
export const circles: TestSupergraph = {
  name: 'circles',
  subgraphs: [people, groups, titles],
  samples: { ID: ['1', '2', '3', '4'], Int: [0, 1, 2] },
};
