import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const HOMES = [
  { id: 'h1', pet: { __typename: 'Cat', name: 'Miu', lives: 9 }, address: { __typename: 'Farm', id: 'a1', road: 'North', acres: 4 } },
  {
    id: 'h2',
    pet: { __typename: 'Dog', name: 'Rex', tricks: ['sit', 'roll'] },
    address: { __typename: 'Flat', id: 'a2', road: 'South', floor: 3 },
  },
  { id: 'h3', pet: null, address: null },
];
const home = (reference: object) => rowOf(HOMES, { id: (reference as { id: string }).id });

const homes = plainSubgraph({
  name: 'homes',
  typeDefs: `${link('key', 'shareable')}
    type Query { homes: [Home!]! }
    type Home @key(fields: "id") { id: ID!  pet: Pet  address: Address }
    interface Pet { name: String! }
    type Cat implements Pet @shareable { name: String!  lives: Int }
    type Dog implements Pet @shareable { name: String!  tricks: [String!] }
    interface Address { id: ID!  road: String }
    type Farm implements Address @key(fields: "id") { id: ID!  road: String  acres: Int }
    type Flat implements Address @key(fields: "id") { id: ID!  road: String  floor: Int }
  `,
  resolvers: {
    Query: { homes: () => HOMES },
    Home: { __resolveReference: home },
    Farm: { __resolveReference: ({ id }: { id: string }) => HOMES.find(({ address }) => address?.id === id)?.address ?? null },
    Flat: { __resolveReference: ({ id }: { id: string }) => HOMES.find(({ address }) => address?.id === id)?.address ?? null },
  },
});

interface Seen {
  id: string;
  pet?: { __typename: string; name: string; lives?: number; tricks?: string[] } | null;
  address?: { __typename: string; id: string; acres?: number; floor?: number; road?: string } | null;
}

const letters = plainSubgraph({
  name: 'letters',
  typeDefs: `${link('key', 'external', 'requires', 'shareable')}
    type Query { letters: [Home]! }
    type Home @key(fields: "id") {
      id: ID!
      pet: Pet @external
      address: Address @external
      greeting: String @requires(fields: "pet { name ... on Cat { lives } ... on Dog { tricks } }")
      envelope: String @requires(fields: "address { id ... on Farm { acres } ... on Flat { floor } }")
    }
    interface Pet { name: String! }
    type Cat implements Pet { name: String! @external  lives: Int @external }
    type Dog implements Pet { name: String! @external  tricks: [String!] @external }
    interface Address { id: ID! }
    type Farm implements Address @key(fields: "id") { id: ID!  acres: Int @external  sign: String @requires(fields: "acres") }
    type Flat implements Address @key(fields: "id") { id: ID!  floor: Int @external  bell: Int! @requires(fields: "floor") }
  `,
  resolvers: {
    Query: { letters: () => [{ id: 'h1' }, null, { id: 'h2' }, { id: 'h9' }] },
    Home: {
      greeting: ({ pet }: Seen) => pet && `${pet.__typename} ${pet.name} ${pet.lives ?? pet.tricks?.join('+')}`,
      envelope: ({ address }: Seen) => address && `${address.id}/${address.acres ?? address.floor}`,
    },
    Farm: { sign: ({ acres }: { acres?: number }) => `${acres} acres` },
    Flat: { bell: ({ floor }: { floor?: number }) => (floor ?? 0) * 10 },
  },
});

/** @requires through an interface, with different fields per implementation. */
export const requiresOnInterfaces: TestSupergraph = { name: 'requires-on-interfaces', subgraphs: [homes, letters] };
