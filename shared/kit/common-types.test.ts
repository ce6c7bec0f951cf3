import { readFileSync } from 'node:fs';
import { composeServices } from '@apollo/composition';
import { describe, expect, test } from '@jest/globals';
import { isEnumType, isInputObjectType, isInterfaceType, isIntrospectionType, isObjectType, parse, type GraphQLEnumType } from 'graphql';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { COMMON_CODES } from '../base/errors.ts';

const preamble = readFileSync(new URL('common-types.graphql', import.meta.url), 'utf8');

const NOTES = `
  type Query { notes(where: NoteFilter): [Note!]! @listSize(assumedSize: 20) }
  type Mutation { writeNote(text: String!): WriteNotePayload! @cost(weight: 10) }
  type Note @key(fields: "id") @tag(name: "internal") { id: ID! text: String! fee: Money writtenAt: DateTime! }
  type WriteNotePayload { note: Note userErrors: [UserError!]! }
  type NoteTooLongError implements UserError { code: UserErrorCode! message: String! path: [String!] most: Int! }
  input NoteFilter { AND: [NoteFilter!] OR: [NoteFilter!] text: StringFilter writtenAt: DateTimeFilter fee: MoneyFilter }
  extend enum UserErrorCode { "The note is longer than a note may be." NOTE_TOO_LONG }
`;
const BOARDS = `
  type Query { boards(sort: SortDirection): [Board!]! }
  type Mutation { pinNote(noteId: ID!): PinNotePayload! }
  type Board @key(fields: "id") { id: ID! pages: PageInfo! }
  type Note @key(fields: "id") { id: ID! boards: [Board!]! }
  type PinNotePayload { board: Board userErrors: [UserError!]! }
  extend enum UserErrorCode { "The board has no room left." BOARD_FULL }
`;
const PLACES = `
  type Query { places(near: GeoPointInput, sort: SortDirection): [GeoPoint!]! }
`;

const compose = (parts: Record<string, string>) =>
  composeServices(Object.entries(parts).map(([name, sdl]) => ({ name, url: `http://${name}`, typeDefs: parse(preamble + sdl) })));

describe('the preamble', () => {
  test('composes when it is repeated in each subgraph', () => {
    const { schema, errors } = compose({ notes: NOTES, boards: BOARDS, places: PLACES });

    expect(errors).toBeUndefined();
    if (!schema) throw new Error('nothing was composed');
    const api = schema.toAPISchema().toGraphQLJSSchema();
    const values = (name: string) => (api.getType(name) as GraphQLEnumType).getValues().map(({ name: value }) => value);
    expect(values('UserErrorCode')).toEqual(expect.arrayContaining(['INVALID', 'STALE_VERSION', 'NOTE_TOO_LONG', 'BOARD_FULL']));
    expect(values('SortDirection')).toEqual(['ASC', 'DESC']);
    expect(Object.keys((api.getType('StringFilter') as never as { getFields(): object }).getFields())).toEqual([
      'eq',
      'ne',
      'in',
      'startsWith',
    ]);
    expect(
      api
        ?.getImplementations(api.getType('UserError') as never)
        .objects.map(({ name }) => name)
        .toSorted(),
    ).toEqual(['NoteTooLongError', 'PlainUserError', 'StaleVersionError']);
  });

  test('gives no hint of trouble but that codes differ from subgraph to subgraph', () => {
    const { hints = [] } = compose({ notes: NOTES, boards: BOARDS, places: PLACES });

    expect(new Set(hints.map(({ definition, message }) => `${definition.code} ${/UserErrorCode/.test(message)}`))).toEqual(
      new Set(['INCONSISTENT_ENUM_VALUE_FOR_OUTPUT_ENUM true']),
    );
  });

  test('says what everything in it means', () => {
    const schema = buildSubgraphSchema([{ typeDefs: parse(`${preamble} type Query { now: DateTime }`) }]);
    const silent: string[] = [];
    const look = (place: string, thing: { description?: string | null | undefined }) => {
      if (!thing.description) silent.push(place);
    };

    for (const type of Object.values(schema.getTypeMap())) {
      if (isIntrospectionType(type) || /^_|__|^(Query|String|Boolean|Int|Float|ID)$/.test(type.name)) continue;
      look(type.name, type);
      if (isObjectType(type) || isInterfaceType(type) || isInputObjectType(type)) {
        for (const field of Object.values(type.getFields())) look(`${type.name}.${field.name}`, field);
      }
      if (isEnumType(type)) for (const value of type.getValues()) look(`${type.name}.${value.name}`, value);
    }

    expect(silent).toEqual([]);
  });

  test('lists only codes that are in the catalogue of errors', () => {
    const schema = buildSubgraphSchema([{ typeDefs: parse(`${preamble} type Query { now: DateTime }`) }]);
    const codes = (schema.getType('UserErrorCode') as GraphQLEnumType).getValues().map(({ name }) => name);

    expect(codes.filter((code) => !(code in COMMON_CODES))).toEqual([]);
  });

  test('tells that enums may grow', () => {
    const enums = preamble.matchAll(/"([^"]*)"\nenum (\w+)/g).toArray();

    expect(enums.map(([, , name]) => name)).toEqual(['cacheControl__Scope', 'UserErrorCode', 'SortDirection']);
    for (const [, description] of enums) expect(description).toContain('Values may be added');
  });
});
