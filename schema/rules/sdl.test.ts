import { describe, expect, test } from '@jest/globals';
import { allow } from '#shared/kit/permissions.ts';
import { readSdl } from './document.ts';
import {
  declaredRefusals,
  entitiesOfNobody,
  entitiesWithoutRule,
  enumsThatSeemClosed,
  mandatoryForeignFields,
  mandatoryOwnParts,
  mutationsOfOtherShape,
  rootFieldsWithoutRule,
  unboundedLists,
  undescribed,
} from './sdl.ts';

const sdl = (schema: string, permissions = {}, owned: string[] = ['Note']) => readSdl(schema, permissions, new Set(owned));

describe('root fields', () => {
  const schema = 'type Query { note: String  notes: String } extend type Query { later: String } type Subscription { noted: String }';

  test('need a rule each, wherever they are defined', () => {
    expect(rootFieldsWithoutRule(sdl(schema, { Query: { note: allow } }))).toEqual(['Query.notes', 'Query.later', 'Subscription.noted']);
    const all = { Query: { note: allow, notes: allow, later: allow }, Subscription: { noted: allow } };
    expect(rootFieldsWithoutRule(sdl(schema, all))).toEqual([]);
  });

  test('are not opened by a rule for all of them', () => {
    expect(rootFieldsWithoutRule(sdl('type Query { note: String }', { Query: { '*': allow } }))).toEqual(['Query.note']);
    expect(rootFieldsWithoutRule(sdl('type Query { note: String }', { Query: allow }))).toEqual(['Query.note']);
  });
});

describe('entities', () => {
  test.each([
    ['without any rule', {}],
    ['with a rule for some fields', { Note: { text: allow } }],
  ])('%s are open', (_case, permissions) => {
    expect(entitiesWithoutRule(sdl('type Note @key(fields: "id") { id: ID!  text: String }', permissions))).toEqual(['Note']);
  });

  test.each([
    ['with a rule for all fields', 'type Note @key(fields: "id") { id: ID! }', { Note: { '*': allow } }],
    ['with one rule for the type', 'type Note @key(fields: "id") { id: ID! }', { Note: allow }],
    ['that are only named', 'type Note @key(fields: "id", resolvable: false) { id: ID! }', {}],
    ['that are none', 'type Note { id: ID! }', {}],
  ])('%s are guarded', (_case, schema, permissions) => {
    expect(entitiesWithoutRule(sdl(schema, permissions))).toEqual([]);
  });

  test('are open when one of their keys can be resolved', () => {
    const schema = 'type Note @key(fields: "id", resolvable: false) @key(fields: "slug") { id: ID!  slug: String! }';

    expect(entitiesWithoutRule(sdl(schema))).toEqual(['Note']);
  });

  test('stand in the README, and what stands there is in the schema', () => {
    const { document } = sdl('type Note @key(fields: "id") { id: ID! } type Board @key(fields: "id") { id: ID! }');

    expect(entitiesOfNobody({ document, permissions: {}, owned: new Set() }, new Set(['Note', 'Page']))).toEqual([
      'Board is not in the README',
      'Page is not in the schema',
    ]);
  });
});

describe('mutations', () => {
  const payload = 'type AddNotePayload { note: Note  userErrors: [UserError!]! }';

  test('have one shape', () => {
    expect(mutationsOfOtherShape(sdl(`type Mutation { addNote(input: AddNoteInput!): AddNotePayload! } ${payload}`))).toEqual([]);
  });

  test.each([
    ['two arguments', `addNote(input: AddNoteInput!, key: ID): AddNotePayload!`, payload, 'takes no `input: AddNoteInput!` alone'],
    ['no argument', `addNote: AddNotePayload!`, payload, 'takes no `input: AddNoteInput!` alone'],
    ['another name for it', `addNote(note: AddNoteInput!): AddNotePayload!`, payload, 'takes no `input: AddNoteInput!` alone'],
    ['an input that may be left out', `addNote(input: AddNoteInput): AddNotePayload!`, payload, 'takes no `input: AddNoteInput!` alone'],
    ['an answer that may be null', `addNote(input: AddNoteInput!): AddNotePayload`, payload, 'does not answer AddNotePayload!'],
    [
      'no refusals',
      `addNote(input: AddNoteInput!): AddNotePayload!`,
      'type AddNotePayload { note: Note }',
      'has no `userErrors: [UserError!]!` in its payload',
    ],
    [
      'a payload that a refusal cannot leave by',
      `addNote(input: AddNoteInput!): AddNotePayload!`,
      'type AddNotePayload { note: Note!  userErrors: [UserError!]! }',
      'has the mandatory field note in its payload',
    ],
  ])('may not have %s', (_case, field, type, fault) => {
    expect(mutationsOfOtherShape(sdl(`type Mutation { ${field} } ${type}`))).toEqual([`addNote ${fault}`]);
  });
});

describe('descriptions', () => {
  test('are missed everywhere', () => {
    const schema = `type Note { text(size: Int): String } interface Page { id: ID } union Any = Note
      input NoteInput { text: String } enum Color { RED } extend enum Code { BAD } scalar Ink type Query { note: Note }`;

    expect(undescribed(sdl(schema)).sort()).toEqual(
      [
        'Any',
        'Code.BAD',
        'Color',
        'Color.RED',
        'Ink',
        'Note',
        'Note.text',
        'Note.text(size:)',
        'NoteInput',
        'NoteInput.text',
        'Page',
        'Page.id',
        'Query.note',
      ].sort(),
    );
  });

  test('of an entity and its key are left to its owner', () => {
    const schema = 'type Note @key(fields: "id") { id: ID!  text: String }';

    expect(undescribed(sdl(schema, {}, ['Note']))).toEqual(['Note', 'Note.id', 'Note.text']);
    expect(undescribed(sdl(schema, {}, []))).toEqual(['Note.text']);
  });

  test('must say something', () => {
    expect(undescribed(sdl('" " type Note { "Its text." text: String }'))).toEqual(['Note']);
  });

  test('of enums tell that they may grow', () => {
    const schema = '"A color." enum Color { RED } "A size. Values may be added." enum Size { BIG } extend enum Code { BAD }';

    expect(enumsThatSeemClosed(sdl(schema))).toEqual(['Color']);
  });
});

describe('entities of others', () => {
  const board = 'type Board @key(fields: "id", resolvable: false) { id: ID! }';
  const note = (field: string): string => `type Note @key(fields: "id") { id: ID!  ${field} } ${board} union Place = Board | Note`;

  test.each(['board: Board!', 'boards: [Board!]', 'boards: [Board!]!', 'place: Place!'])('may not be promised: %s', (field) => {
    expect(mandatoryForeignFields(sdl(note(field)))).toEqual([`Note.${field}`]);
  });

  test.each(['board: Board', 'boards: [Board]!', 'self: Note!', 'edges: [BoardEdge!]!'])('may be missing: %s', (field) => {
    expect(mandatoryForeignFields(sdl(note(field)))).toEqual([]);
  });
});

describe('what a subgraph adds to a request with other parts', () => {
  const added = (fields: string) =>
    `type Board @key(fields: "id") { id: ID! ${fields} } type Note @key(fields: "id") { id: ID! text: String! }`;

  test('may be missing at the root', () => {
    expect(mandatoryOwnParts(sdl('type Query { note: Note  notes: [Note!]! }'))).toEqual(['Query.notes: [Note!]!']);
    expect(mandatoryOwnParts(sdl('extend type Query { notes: [Note!] } type Mutation { addNote: Note! }'))).toEqual([]);
  });

  test('may be missing on an entity of another, whose key is there all the same', () => {
    expect(mandatoryOwnParts(sdl(added('notes: [Note!]!')))).toEqual(['Board.notes: [Note!]!']);
    expect(mandatoryOwnParts(sdl(added('notes: [Note!]')))).toEqual([]);
  });
});

describe('lists that are handed in', () => {
  test.each([
    ['type Query { notes("Which." ids: [ID!]!): String }', 'Query.notes(ids:) does not say "at most" how many'],
    ['type Query { notes("Which, at most 250." ids: [ID]): String }', 'Query.notes(ids:) allows null as an entry'],
    ['input NoteInput { tags: [String!] }', 'NoteInput.tags does not say "at most" how many'],
    ['extend input NoteInput { "At most many." tags: [String!] }', 'NoteInput.tags does not say "at most" how many'],
  ])('are bounded: %s', (schema, fault) => {
    expect(unboundedLists(sdl(schema))).toEqual([fault]);
  });

  test('are fine with a number', () => {
    expect(unboundedLists(sdl('input NoteInput { "At most 1,000." tags: [String!]!  text: String }'))).toEqual([]);
  });
});

test('refusals are the values added to UserErrorCode and the types of UserError', () => {
  const schema = 'extend enum UserErrorCode { A B } enum Other { C } type Full implements UserError { code: Int } type Note { id: ID }';

  expect(declaredRefusals(sdl(schema))).toEqual({ codes: ['A', 'B'], types: ['Full'] });
});
