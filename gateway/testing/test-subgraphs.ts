import { EventEmitter, on } from 'node:events';
import { Problem } from '#shared/base/errors.ts';
import { plainSubgraph, type PlainSubgraph } from '#shared/testing/plain-subgraph.ts';
import type { SubgraphRequest } from '#shared/kit/transport.ts';

/** Three small subgraphs with many joins: people write notes on boards. For tests of the gateway. */
export interface TestSubgraphs {
  people: PlainSubgraph;
  boards: PlainSubgraph;
  notes: PlainSubgraph;
  all: PlainSubgraph[];
  /** Publishes a change of a note to the subscribers of its board. */
  changeNote: (boardId: string, note: { id: string; text: string; authorId: string }) => void;
  /** Resolves when that many `noteChanged` streams are open. */
  listeners: (count: number) => Promise<void>;
}

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@shareable", "@listSize"])\n';
const NAMES: Record<string, string> = { p1: 'Ada', p2: 'Bo', p3: 'Cy' };
const BOARDS = [
  { id: 'b1', title: 'Ideas', owner: { id: 'p1' } },
  { id: 'b2', title: 'Plans', owner: { id: 'p2' } },
];
const NOTES = [
  { id: 'n1', text: 'one', author: { id: 'p1' }, board: { id: 'b1' } },
  { id: 'n2', text: 'two', author: { id: 'p2' }, board: { id: 'b1' } },
  { id: 'n3', text: 'three', author: { id: 'p3' }, board: { id: 'b2' } },
];

const byId = <T extends { id: string }>(list: readonly T[], id: string): T | null => list.find((each) => each.id === id) ?? null;
const person = ({ id }: { id: string }) => (NAMES[id] ? { id, name: NAMES[id] } : null);

export function testSubgraphs(): TestSubgraphs {
  const changes = new EventEmitter().setMaxListeners(0);
  const streams = countStreams();
  const people = openPeople();
  const boards = openBoards();
  const notes = openNotes((boardId) => streams.counted(on(changes, boardId)));
  return {
    people,
    boards,
    notes,
    all: [people, boards, notes],
    changeNote: (boardId, { id, text, authorId }) => void changes.emit(boardId, { id, text, author: { id: authorId } }),
    listeners: streams.reach,
  };
}

function countStreams() {
  let open = 0;
  let waiting: { count: number; resolve: () => void }[] = [];
  const change = (by: number): void => {
    open += by;
    for (const { count, resolve } of waiting) if (count === open) resolve();
    waiting = waiting.filter(({ count }) => count !== open);
  };
  return {
    counted(source: AsyncIterator<unknown[]>): AsyncIterableIterator<unknown[]> {
      let left = false;
      change(1);
      return {
        [Symbol.asyncIterator]() {
          return this;
        },
        next: () => source.next(),
        async return() {
          if (!left) change(-1);
          left = true;
          return source.return!();
        },
      };
    },
    reach: (count: number) => new Promise<void>((resolve) => (count === open ? resolve() : waiting.push({ count, resolve }))),
  };
}

function openPeople(): PlainSubgraph {
  return plainSubgraph({
    name: 'people',
    typeDefs: `${LINK}
      type Query { me: Person  viewer: String  person(id: ID!): Person  client: String }
      type Mutation { rename(id: ID!, name: String!): Person }
      type Person @key(fields: "id") { id: ID!  name: String  email: String  friends: [Person!] }
    `,
    resolvers: {
      Query: {
        me: (_root: unknown, _args: unknown, { identity }: SubgraphRequest) => {
          if (!identity.viewer) throw new Problem('UNAUTHENTICATED', 'Sign in to do this.');
          return { id: identity.viewer.id, name: NAMES[identity.viewer.id] };
        },
        viewer: (_root: unknown, _args: unknown, { identity }: SubgraphRequest) => JSON.stringify(identity.viewer),
        client: (_root: unknown, _args: unknown, { identity }: SubgraphRequest) => JSON.stringify(identity.client),
        person: (_root: unknown, { id }: { id: string }) => person({ id }),
      },
      Mutation: { rename: (_root: unknown, { id, name }: { id: string; name: string }) => ({ id, name }) },
      Person: {
        __resolveReference: person,
        email: ({ id }: { id: string }) => {
          if (id === 'p2') throw new Error('connect ECONNREFUSED mongodb://10.0.0.3:27017');
          if (id === 'p3') throw new Problem('FORBIDDEN', 'You may not do this.');
          return `${id}@example.org`;
        },
        friends: () => Object.keys(NAMES).map((id) => person({ id })),
      },
    },
  });
}

function openBoards(): PlainSubgraph {
  return plainSubgraph({
    name: 'boards',
    typeDefs: `${LINK}
      type Query { boards(first: Int = 10): BoardConnection! @listSize(slicingArguments: ["first"], sizedFields: ["nodes", "edges"])  board(id: ID!): Board  locked: String! }
      type BoardConnection { nodes: [Board!]!  edges: [BoardEdge!]! }
      type BoardEdge { cursor: String!  node: Board! }
      type Board @key(fields: "id") { id: ID!  title: String!  owner: Person }
      type Person @key(fields: "id") { id: ID!  boards: [Board!] }
    `,
    resolvers: {
      Query: {
        boards: (_root: unknown, { first }: { first: number }) => BOARDS.slice(0, first),
        board: (_root: unknown, { id }: { id: string }) => byId(BOARDS, id),
      },
      BoardConnection: {
        nodes: (boards: typeof BOARDS) => boards,
        edges: (boards: typeof BOARDS) => boards.map((node) => ({ cursor: node.id, node })),
      },
      Board: { __resolveReference: ({ id }: { id: string }) => byId(BOARDS, id) },
      Person: { boards: ({ id }: { id: string }) => BOARDS.filter(({ owner }) => owner.id === id) },
    },
  });
}

function openNotes(changesOn: (boardId: string) => AsyncIterableIterator<unknown[]>): PlainSubgraph {
  return plainSubgraph({
    name: 'notes',
    typeDefs: `${LINK}
      type Query { note(id: ID!): Note }
      type Mutation { writeNote(boardId: ID!, text: String!): Note }
      type Subscription { noteChanged(boardId: ID!): Note  ticks(to: Int!): Int!  secretNotes: Note }
      type Note @key(fields: "id") { id: ID!  text: String!  author: Person  board: Board }
      type Board @key(fields: "id") { id: ID!  notes: [Note!] }
      type Person @key(fields: "id", resolvable: false) { id: ID! }
    `,
    resolvers: {
      Query: { note: (_root: unknown, { id }: { id: string }) => byId(NOTES, id) },
      Mutation: {
        writeNote: (_root: unknown, { boardId, text }: { boardId: string; text: string }, { identity }: SubgraphRequest) => ({
          id: 'n9',
          text,
          author: identity.viewer && { id: identity.viewer.id },
          board: { id: boardId },
        }),
      },
      Subscription: {
        noteChanged: {
          subscribe: (_root: unknown, { boardId }: { boardId: string }) => changesOn(boardId),
          resolve: ([note]: unknown[]) => note,
        },
        ticks: {
          async *subscribe(_root: unknown, { to }: { to: number }) {
            for (let ticks = 1; ticks <= to; ticks += 1) yield { ticks };
          },
        },
        secretNotes: {
          subscribe: () => {
            throw new Problem('FORBIDDEN', 'You may not do this.');
          },
        },
      },
      Note: { __resolveReference: ({ id }: { id: string }) => byId(NOTES, id) },
      Board: { notes: ({ id }: { id: string }) => NOTES.filter(({ board }) => board.id === id) },
    },
  });
}
