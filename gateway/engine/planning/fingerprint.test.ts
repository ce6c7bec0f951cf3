import { describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../../../schema/compose.ts';
import type { Planner } from './planner.ts';
import { planInProcess } from './in-process-planner.ts';

/* A plan may be kept as long as its fingerprint is the same: then planning anew would give the same plan. */

const LINK = `extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key", "@requires", "@external", "@provides", "@shareable", "@override"])`;

const MAIL = 'type Mail { address: String @shareable';

const BASE = {
  notes: `${LINK}
    type Query { note(id: ID!): Note  items: [Item!]  hits: [Hit!] }
    interface Item { id: ID!  title: String }
    union Hit = Note | Board
    type Note implements Item @key(fields: "id") { id: ID!  title: String  author: Author  size: Int }
    type Board implements Item @key(fields: "id") { id: ID!  title: String }
    type Author @key(fields: "id") { id: ID! }`,
  authors: `${LINK}
    type Author @key(fields: "id") @key(fields: "mail { address }") { id: ID!  name: String  mail: Mail @shareable }
    ${MAIL}  label: String }
    type Note @key(fields: "id") { id: ID!  size: Int @external  weight: Int @requires(fields: "size") }`,
  extras: `${LINK}
    type Query { unrelated: Unrelated }
    type Unrelated { text: String }
    type Author @key(fields: "mail { address }") { mail: Mail @shareable  badge: String }
    ${MAIL} }`,
};

type Sources = typeof BASE;

const OPERATIONS = [
  '{ note(id: 1) { title } }',
  '{ note(id: 1) { weight author { name } } }',
  '{ note(id: 1) { author { badge } } }',
  '{ items { title } }',
  '{ items { id ... on Note { author { name } } } }',
  '{ hits { ... on Item { title } } }',
  '{ unrelated { text } }',
  'query($a: ID!) { note(id: $a) { ...N } } fragment N on Note { weight }',
];

const plannerOf = (sources: Sources): Planner =>
  planInProcess(composeSupergraph(Object.entries(sources).map(([name, typeDefs]) => ({ name, url: `http://${name}`, typeDefs }))));

const before = plannerOf(BASE);

type Change = (sources: Sources) => Sources;
const inOne =
  (name: keyof Sources, from: string, to: string): Change =>
  (sources) => {
    expect(sources[name]).toContain(from);
    return { ...sources, [name]: sources[name].replace(from, to) };
  };

const both =
  (one: Change, other: Change): Change =>
  (sources) =>
    other(one(sources));

/** Operations whose fingerprints a change leaves as they are; of each it is shown that its plan is the same. */
function kept(change: Change): string[] {
  const after = plannerOf(change(BASE));
  return OPERATIONS.filter((source) => {
    if (before.fingerprint(source) !== after.fingerprint(source)) return false;
    expect(after.plan({ source, operationName: undefined })).toBe(before.plan({ source, operationName: undefined }));
    return true;
  });
}

describe('a fingerprint', () => {
  test.each<[string, Change, string[]]>([
    ['nothing', (sources) => sources, OPERATIONS],
    ['a field that nobody asks for', inOne('authors', 'name: String', 'name: String  nick: String'), OPERATIONS],
    ['a type that nobody asks for', inOne('extras', 'type Unrelated {', 'type Other { a: Int } type Unrelated { other: Other'), OPERATIONS],
    ['a description', inOne('notes', 'title: String  author', '"Its title." title: String  author'), OPERATIONS],
  ])('stays the same with %s changed', (_case, change, expected) => {
    expect(kept(change)).toEqual(expected);
  });

  test.each<[string, Change, string]>([
    [
      'the subgraph of a field',
      both(inOne('extras', 'badge: String', ''), inOne('authors', 'name: String', 'name: String  badge: String')),
      OPERATIONS[2]!,
    ],
    [
      'what a field requires',
      both(inOne('authors', '"size"', '"size title"'), inOne('authors', 'size: Int', 'title: String @external  size: Int')),
      OPERATIONS[1]!,
    ],
    [
      'a key on the way',
      both(inOne('extras', '"mail { address }"', '"id"'), inOne('extras', 'mail: Mail', 'id: ID!  mail: Mail')),
      OPERATIONS[2]!,
    ],
    ['the type of a field', inOne('notes', 'title: String  author', 'title: String!  author'), OPERATIONS[0]!],
    [
      'who implements an interface',
      inOne('notes', 'union Hit', 'type List implements Item @key(fields: "id") { id: ID!  title: String } union Hit'),
      OPERATIONS[3]!,
    ],
    ['the members of a union', inOne('notes', 'Note | Board', 'Note | Board | Author'), OPERATIONS[5]!],
    ['an argument', inOne('notes', 'note(id: ID!)', 'note(id: ID!, or: ID)'), OPERATIONS[7]!],
  ])('changes with %s', (_case, change, operation) => {
    const same = kept(change);

    expect(same).not.toContain(operation);
    expect(same).toContain('{ unrelated { text } }');
  });
});
