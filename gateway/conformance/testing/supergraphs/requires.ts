import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const PARCELS = [
  { id: '1', grams: 500, sides: { long: 10, wide: 4 }, unit: 'g', next: '2', goes: { __typename: 'Road', km: 12 } },
  { id: '2', grams: null, sides: null, unit: 'g', next: '1', goes: { __typename: 'Air', feet: 900 } },
  { id: '3', grams: 40, sides: { long: 1, wide: null }, unit: 'kg', next: null, goes: null },
];
const parcel = (reference: object) => rowOf(PARCELS, { id: (reference as { id: string }).id });

const scales = plainSubgraph({
  name: 'scales',
  typeDefs: `${link('key', 'shareable')}
    type Query { parcels: [Parcel!]!  parcel(id: ID!): Parcel }
    type Parcel @key(fields: "id") { id: ID!  grams: Int  sides: Sides  next: Parcel  goes: Way }
    type Sides @shareable { long: Int!  wide: Int }
    union Way = Road | Air
    type Road @shareable { km: Int! }
    type Air @shareable { feet: Int! }
  `,
  resolvers: {
    Query: { parcels: () => PARCELS, parcel: (_root: unknown, reference: object) => parcel(reference) },
    Parcel: { __resolveReference: parcel, next: ({ next }: { next: string | null }) => next && parcel({ id: next }) },
  },
});

interface Seen {
  id: string;
  grams?: number | null;
  sides?: { long: number; wide: number | null } | null;
  size?: string | null;
  toll?: number | null;
  label?: string | null;
  goes?: { __typename: string; km?: number; feet?: number } | null;
  next?: { id: string; grams: number | null } | null;
}

const sizes = plainSubgraph({
  name: 'sizes',
  typeDefs: `${link('key', 'external', 'requires', 'shareable')}
    type Parcel @key(fields: "id") {
      id: ID!
      grams: Int @external
      sides: Sides @external
      goes: Way @external
      size: String @requires(fields: "grams sides { long wide }")
      toll(times: Int = 1): Int @requires(fields: "goes { ... on Road { km } ... on Air { feet } }")
      label: String @external
      sticker: String! @requires(fields: "label")
    }
    type Sides { long: Int! @external  wide: Int @external }
    union Way = Road | Air
    type Road @shareable { km: Int! }
    type Air @shareable { feet: Int! }
  `,
  resolvers: {
    Parcel: {
      size: ({ grams, sides }: Seen) => (sides ? `${grams ?? 'no'} g, ${sides.long} by ${sides.wide ?? 'none'}` : null),
      toll: ({ goes }: Seen, { times }: { times: number | null }) => goes && (goes.km ?? goes.feet ?? 0) * (times ?? 0),
      sticker({ label }: Seen) {
        if (label === null) throw new Error('nothing to print');
        return `[${label}]`;
      },
    },
  },
});

const labels = plainSubgraph({
  name: 'labels',
  typeDefs: `${link('key', 'external', 'requires')}
    type Parcel @key(fields: "id") {
      id: ID!
      grams: Int @external
      size: String @external
      next: Parcel @external
      label: String @requires(fields: "size")
      heavier: Boolean @requires(fields: "grams next { id grams }")
    }
  `,
  resolvers: {
    Parcel: {
      label: ({ id, size }: Seen) => (size ? `${id}: ${size}` : null),
      heavier: ({ grams, next }: Seen) => (next ? (grams ?? 0) > (next.grams ?? 0) : null),
    },
  },
});

/** Chains of @requires, through objects, unions and back to the type itself. */
export const requires: TestSupergraph = { name: 'requires', subgraphs: [scales, sizes, labels], samples: { ID: ['1', '2', '3', '9'] } };
