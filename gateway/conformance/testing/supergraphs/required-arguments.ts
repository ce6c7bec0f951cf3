import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { link, rowOf, type TestSupergraph } from '../supergraph.ts';

const STATIONS = [
  { id: '1', celsius: 20, wind: { __typename: 'Gust', speed: 4 } },
  { id: '2', celsius: null, wind: { __typename: 'Calm', since: 'noon' } },
];
const station = (reference: object) => rowOf(STATIONS, { id: (reference as { id: string }).id });

const stations = plainSubgraph({
  name: 'stations',
  typeDefs: `${link('key', 'shareable')}
    type Query { stations: [Station!]! }
    enum Unit { C F }
    type Station @key(fields: "id") { id: ID!  temperature(unit: Unit! = C, offset: Int = 0): Float }
  `,
  resolvers: {
    Query: { stations: () => STATIONS },
    Station: {
      __resolveReference: station,
      temperature: ({ celsius }: { celsius: number | null }, { unit, offset }: { unit: string; offset: number }) =>
        celsius === null ? null : (unit === 'C' ? celsius : celsius * 1.8 + 32) + offset,
    },
  },
});

/** Each field returns its arguments. */
const advice = (name: string, requirements: Record<string, string>) =>
  plainSubgraph({
    name,
    typeDefs: `${link('key', 'external', 'requires')}
      enum Unit { C F }
      type Station @key(fields: "id") {
        id: ID!
        temperature(unit: Unit! = C, offset: Int = 0): Float @external
        ${Object.entries(requirements)
          .map(([field, fields]) => `${field}(loud: Boolean): String @requires(fields: "${fields}")`)
          .join('\n')}
      }
    `,
    resolvers: {
      Station: Object.fromEntries(
        Object.keys(requirements).map((field) => [
          field,
          ({ temperature }: { temperature?: number | null }, { loud }: { loud?: boolean | null }) =>
            `${field} at ${temperature}${loud ? '!' : ''}`,
        ]),
      ),
    },
  });

/** @requires with arguments that differ from those of the client. */
export const requiredArguments: TestSupergraph = {
  name: 'arguments',
  subgraphs: [
    stations,
    advice('clothes', { hat: 'temperature(unit: F)', shoes: 'temperature(unit: C)' }),
    advice('drinks', { tea: 'temperature(unit: C, offset: 5)' }),
  ],
};
