import { Problem } from '#shared/base/errors.ts';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const STOPS = [
  { id: '1', code: 'one', line: '7', next: '2' },
  { id: '2', code: null, line: null, next: 'gone' },
  { id: '3', code: 'three', line: '9', next: null },
];
const TIMES: Record<string, (string | null)[] | null> = { one: ['8:00', null, '9:00'], three: null };

const stop = ({ id }: { id: string }) => rowOf(STOPS, { id });

const stops = plainSubgraph({
  name: 'stops',
  typeDefs: `${link('key')}
    type Query { stops: [Stop]!  some: [[Stop]]  stop(id: ID!): Stop  allStops: [Stop!] }
    type Stop @key(fields: "id") @key(fields: "code") { id: ID!  code: String  next: Stop  line: Line }
    type Line @key(fields: "id") { id: ID! }
  `,
  resolvers: {
    Query: {
      stops: () => [STOPS[0], null, STOPS[1], { id: 'gone', code: 'gone' }, STOPS[2], STOPS[0]],
      some: () => [[STOPS[0], null], null, [], [STOPS[2], STOPS[1]]],
      stop: (_root: unknown, reference: { id: string }) => stop(reference),
      allStops: () => [STOPS[0], { id: 'gone', code: 'gone' }],
    },
    Stop: {
      __resolveReference: stop,
      next: ({ next }: { next: string | null }) => next && (stop({ id: next }) ?? { id: next }),
      line: ({ line }: { line: string | null }) => line && { id: line },
    },
  },
});

const times = plainSubgraph({
  name: 'times',
  typeDefs: `${link('key')}
    type Query { clock: String  late: [Stop!] }
    type Stop @key(fields: "code") { code: String  times: [String]  first: String!  board: [Row!]! }
    type Row { text: String!  stop: Stop }
  `,
  resolvers: {
    Query: { clock: () => null, late: () => [{ code: 'one' }, { code: null }] },
    Stop: {
      __resolveReference({ code }: { code: string | null }) {
        if (code === 'three') throw new Problem('CLOSED', 'This stop is closed.');
        return code !== null && code in TIMES ? { code } : null;
      },
      times: ({ code }: { code: string }) => TIMES[code],
      first: ({ code }: { code: string }) => TIMES[code]?.[0],
      board: ({ code }: { code: string }) => (TIMES[code] ?? []).map((text) => ({ text, code })),
    },
    Row: { stop: ({ code }: { code: string }) => ({ code }) },
  },
});

const lines = plainSubgraph({
  name: 'lines',
  typeDefs: `${link('key')}
    type Query { lines: [Line] }
    type Line @key(fields: "id") { id: ID!  colour: String!  driver: Driver!  drivers: [Driver!]! }
    type Driver { name: String!  nick: String }
  `,
  resolvers: {
    Query: { lines: () => [{ id: '7' }, { id: '8' }, { id: '9' }] },
    Line: {
      colour: ({ id }: { id: string }) => (id === '9' ? null : 'red'),
      driver: ({ id }: { id: string }) => {
        if (id === '8') throw new Problem('FORBIDDEN', 'You may not do this.');
        return { name: id === '9' ? null : 'Ed' };
      },
      drivers: ({ id }: { id: string }) => [{ name: 'Ed' }, id === '7' ? null : { name: 'Al' }],
    },
    Driver: {
      nick: ({ name }: { name: string | null }) => {
        if (name === 'Al') throw new Problem('FORBIDDEN', 'You may not do this.');
        return name;
      },
    },
  },
});

/** Nulls for keys, entities and non-null fields, with errors beside them. */
export const nulls: TestSupergraph = { name: 'nulls', subgraphs: [stops, times, lines], samples: { ID: ['1', '2', '3', 'gone'] } };
