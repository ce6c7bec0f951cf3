import { afterEach, describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n';
const NAMES: Record<string, string> = { p1: 'Ada' };

const people = plainSubgraph({
  name: 'people',
  typeDefs: `${LINK} type Query { people: Int }  type Person @key(fields: "id") { id: ID!  name: String!  nickname: String }`,
  resolvers: { Person: { __resolveReference: ({ id }: { id: string }) => (NAMES[id] ? { id, name: NAMES[id] } : null) } },
});

/** Notes refer to people, some of whom are gone. */
const notes = plainSubgraph({
  name: 'notes',
  typeDefs: `${LINK}
    type Query { notes: [Note!]! }
    type Note { text: String!  editor: Person  readers: [Person]!  review: Review }
    type Review { by: Person! }
    type Person @key(fields: "id", resolvable: false) { id: ID! }
  `,
  resolvers: {
    Query: {
      notes: () => [
        { text: 'one', editor: { id: 'p1' }, readers: [{ id: 'gone' }, { id: 'p1' }], review: { by: { id: 'p1' } } },
        { text: 'two', editor: { id: 'gone' }, readers: [], review: { by: { id: 'gone' } } },
      ],
    },
  },
});

const UNKNOWN = {
  message: 'The subgraph people does not know this object, to which another subgraph refers.',
  extensions: { code: 'SUBGRAPH_ANSWER_INVALID', subgraph: 'people', retryable: false },
};

describe('an unresolved reference', () => {
  let gateway: TestGateway | undefined;
  afterEach(() => gateway?.close());

  async function ask(query: string, transports: Record<string, typeof people> = {}) {
    gateway = await openGatewayForTest({ subgraphs: [people, notes], transports: { people, notes, ...transports } });
    const { data, errors } = await gateway.ask(query);
    return { data, errors };
  }

  test('is null without an error', async () => {
    const answer = await ask('{ notes { editor { id name } readers { name } } }');

    expect(answer).toEqual({
      data: {
        notes: [
          { editor: { id: 'p1', name: 'Ada' }, readers: [null, { name: 'Ada' }] },
          { editor: null, readers: [] },
        ],
      },
    });
  });

  test('keeps its known fields where nothing else is selected', async () => {
    const { data, errors } = await ask('{ notes { editor { id nickname } } }');

    expect(errors).toBeUndefined();
    expect(data.notes[1]).toEqual({ editor: { id: 'gone', nickname: null } });
  });

  test('nulls its parent where it must not be null, and the error names the subgraph', async () => {
    const { data, errors } = await ask('{ notes { text review { by { name } } } }');

    expect(data.notes[1]).toEqual({ text: 'two', review: null });
    expect(errors).toMatchObject([{ ...UNKNOWN, path: ['notes', 1, 'review', 'by'] }]);
  });

  describe('with deferred fields', () => {
    /** The parts after the first response. */
    async function partsOf(query: string): Promise<unknown[]> {
      gateway = await openGatewayForTest({ subgraphs: [people, notes], transports: { people, notes } });
      const parts: { incremental?: unknown[] }[] = [];
      for await (const part of gateway.subscribe(query)) parts.push(part as (typeof parts)[number]);
      return parts.slice(1).flatMap(({ incremental = [] }) => incremental);
    }

    test.each([
      ['that may be null', 'editor', ['notes', 1, 'editor']],
      ['that must not be null', 'review { by', ['notes', 1, 'review', 'by']],
    ])('is reported in a part of its own: %s', async (_case, field, path) => {
      const parts = await partsOf(`{ notes { ${field} { id ... @defer(label: "more") { name } } } ${field.includes('{') ? '}' : ''} }`);

      expect(parts).toMatchObject([
        { path: ['notes', 0, ...path.slice(2)], label: 'more', data: { name: 'Ada' } },
        { path, label: 'more', data: null, errors: [{ ...UNKNOWN, path: [...path, 'name'] }] },
      ]);
    });

    test('is reported for each entry of a list', async () => {
      const parts = await partsOf('{ notes { readers { id ... @defer { name } } } }');

      expect(parts).toMatchObject([
        { path: ['notes', 0, 'readers', 0], data: null, errors: [{ ...UNKNOWN, path: ['notes', 0, 'readers', 0, 'name'] }] },
        { path: ['notes', 0, 'readers', 1], data: { name: 'Ada' } },
      ]);
    });

    test('reports nothing where the deferred fields may be null', async () => {
      const parts = await partsOf('{ notes { editor { id ... @defer { nickname } } } }');

      expect(parts).toEqual([
        { path: ['notes', 0, 'editor'], data: { nickname: null } },
        { path: ['notes', 1, 'editor'], data: { nickname: null } },
      ]);
    });
  });

  test('differs from an object of which a subgraph knows only a part', async () => {
    const half = async (): Promise<ExecutionResult> => ({ data: { _entities: [{ name: null }, { name: null }] } });
    const { data, errors } = await ask('{ notes { editor { name } } }', { people: { ...people, execute: half } });

    expect(data.notes).toEqual([{ editor: null }, { editor: null }]);
    expect(errors).toMatchObject([
      { path: ['notes', 0, 'editor', 'name'], extensions: { code: 'SUBGRAPH_ANSWER_INVALID', subgraph: 'people' } },
      { path: ['notes', 1, 'editor', 'name'] },
    ]);
  });
});
