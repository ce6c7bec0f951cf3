import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const DEVICES = [
  {
    id: '1',
    state: { on: true, levels: [1, 2.5, null], id: 'inner', nested: { deep: [] } },
    log: [{ at: 1 }, 'text', [3], null],
    since: '2026-01-01',
  },
  { id: '2', state: [1, [2], { three: 3 }], log: [], since: 5 },
  { id: '3', state: 'plain', log: null, since: null },
  { id: '4', state: null, log: [false, 0, ''], since: true },
];
const device = (reference: object) => rowOf(DEVICES, { id: (reference as { id: string }).id });

const devices = plainSubgraph({
  name: 'devices',
  typeDefs: `${link('key', 'shareable')}
    scalar Json
    scalar Moment
    type Query { devices(like: Json): [Device!]!  device(id: ID!): Device  echo(value: Json, all: [Json!], at: Moment = "now"): Json }
    type Device @key(fields: "id") { id: ID!  state: Json @shareable  log: [Json]  since: Moment  big: Float  ratio: Float! }
  `,
  resolvers: {
    Query: {
      devices: () => DEVICES,
      device: (_root: unknown, reference: object) => device(reference),
      echo: (_root: unknown, given: object) => given,
    },
    Device: { __resolveReference: device, big: () => 1e21, ratio: ({ id }: { id: string }) => Number(id) / 3 },
  },
});

const models = plainSubgraph({
  name: 'models',
  typeDefs: `${link('key', 'external', 'requires', 'shareable')}
    scalar Json
    type Query { models: [Model!]! }
    type Model { name: String!  settings(of: Json! = { a: [1, { b: null }] }): Json!  devices: [Device!]! }
    type Device @key(fields: "id") { id: ID!  state: Json @external  log: [Json] @external  summary: Json @requires(fields: "state log")  model: Model }
  `,
  resolvers: {
    Query: { models: () => [{ name: 'm' }] },
    Model: { settings: (_model: unknown, { of }: { of: unknown }) => ({ of }), devices: () => [{ id: '4' }, { id: '2' }] },
    Device: { summary: ({ state, log }: { state?: unknown; log?: unknown }) => ({ state, log }), model: () => ({ name: 'm' }) },
  },
});

/** Scalars with any value: as results, as arguments with defaults, and between subgraphs. */
export const scalars: TestSupergraph = {
  name: 'scalars',
  subgraphs: [devices, models],
  samples: { ID: ['1', '2', '3', '4', '5'], Json: [1, 'text', true, [1, { a: null }], { id: [{}] }], Moment: ['2026-01-01', 7] },
};
