import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { buildSchema } from 'graphql';
import { z } from 'zod';
import { defineEvent, onEvent } from '#shared/kit/define-event.ts';
import { defineJob, handleJob } from '#shared/kit/define-job.ts';
import { defineSaga } from '#shared/kit/define-saga.ts';
import { download } from '#shared/kit/download.ts';
import { isSignedIn } from '#shared/kit/permissions.ts';
import { composeSupergraph, eventMap, routeList, runCompose } from './compose.ts';
import { sagaVersions } from './saga-versions.ts';

const LINK = 'extend schema @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@key"])\n';
const notes = {
  name: 'notes',
  url: 'http://notes:4001/graphql',
  typeDefs: `${LINK}type Query { note(id: ID!): Note }\ntype Note @key(fields: "id") { id: ID!  text: String }`,
};
const boards = {
  name: 'boards',
  url: 'http://boards:4002/graphql',
  typeDefs: `${LINK}type Query { board: Board }\ntype Board { id: ID!  pinned: Note }\ntype Note @key(fields: "id") { id: ID!  board: Board }`,
};

describe('composeSupergraph', () => {
  test('joins the types of several subgraphs', () => {
    const sdl = composeSupergraph([notes, boards]);

    const note = buildSchema(sdl, { assumeValidSDL: true }).getType('Note');
    expect(Object.keys((note as { getFields?: () => object }).getFields?.() ?? {}).sort()).toEqual(['board', 'id', 'text']);
    expect(sdl).toContain('NOTES @join__graph(name: "notes", url: "http://notes:4001/graphql")');
  });

  test('gives the same text for the same subgraphs', () => {
    expect(composeSupergraph([notes, boards])).toBe(composeSupergraph([notes, boards]));
  });

  test.each([
    ['a field of two types', boards.typeDefs.replace('id: ID!  board: Board', 'id: ID!  text: Int'), ['Note.text', 'notes:3', 'boards:4']],
    ['a key that is no field', boards.typeDefs.replace('@key(fields: "id")', '@key(fields: "ident")'), ['ident', 'boards:4']],
    ['an unknown type', `${boards.typeDefs}\ntype Pin { at: Place }`, ['Unknown type Place', 'boards:5']],
    ['text that is no schema', `${boards.typeDefs}\ntype Pin {`, ['Syntax Error', 'boards:5']],
  ])('names subgraph and line of %s', (_case, typeDefs, fragments) => {
    const compose = () => composeSupergraph([notes, { ...boards, typeDefs }]);

    for (const fragment of fragments) expect(compose).toThrow(fragment);
  });

  test('explains a field that cannot be reached', () => {
    const typeDefs = `${LINK}type Query { board: Board }\ntype Board { id: ID! }\ntype Note @key(fields: "code") { code: ID!  board: Board }`;

    expect(() => composeSupergraph([notes, { ...boards, typeDefs }])).toThrow(/cannot be satisfied[^]*Note\.board/);
  });
});

test('the event map names each event with those who hear it, and no work items', () => {
  const created = defineEvent('Note.Created', z.object({}));
  const archived = defineEvent('Board.Archived', z.object({}));
  const index = defineJob('indexing', { payload: z.object({}) });
  const nothing = () => Promise.resolve();

  const map = eventMap([
    { name: 'search', handlers: [onEvent(created, nothing), handleJob(index, nothing)] },
    { name: 'boards', handlers: [onEvent(created, nothing), onEvent(archived, nothing)] },
    { name: 'notes', handlers: [] },
  ]);

  expect(JSON.stringify(map)).toBe('{"Board.Archived":["boards"],"Note.Created":["boards","search"]}');
});

describe('the versions of sagas', () => {
  const listed = (...sagas: [version: number, ...steps: string[]][]) => [
    {
      name: 'orders',
      sagas: sagas.map(([version, ...steps]) =>
        defineSaga('checkout', { version, input: z.object({}) }, ({ step, parallel }) => [
          ...steps.map((each) => step(each, { run: nothing })),
          parallel('end', [step('tell', { run: nothing }), step('count', { run: nothing })]),
        ]),
      ),
    },
  ];
  const nothing = () => Promise.resolve();
  const END = ['end', 'end/tell', 'end/count'];

  test('stay known when they are listed no more', () => {
    const before = sagaVersions(listed([1, 'reserve']), {});

    expect(sagaVersions(listed([2, 'assess', 'reserve']), before)).toEqual({
      orders: { checkout: { 1: ['reserve', ...END], 2: ['assess', 'reserve', ...END] } },
    });
  });

  test.each([
    ['inserts', ['assess', 'reserve']],
    ['removes', []],
    ['renames', ['hold']],
  ])('refuse one that %s a step under the same number, in one line that says what to do', (_case, steps) => {
    const before = sagaVersions(listed([1, 'reserve']), {});

    const compose = () => sagaVersions(listed([1, ...steps]), before);

    expect(compose).toThrow(
      /^orders: the steps of the saga checkout are not those of version 1 .*give the new steps a version of their own.*$/,
    );
  });
});

describe('compose', () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), 'compose-'));
    await write(
      'rover.yaml',
      'subgraphs: { notes: { routing_url: "http://notes:4001/graphql", schema: { file: .data/schema/subgraphs/notes.graphql } } }',
    );
    await write('subgraphs/notes/schema.graphql', 'type Query { "A note." note: String }');
    const kit = pathToFileURL(join(import.meta.dirname, '../shared/kit/define-subgraph.ts')).href;
    await write(
      'subgraphs/notes/subgraph.ts',
      `import { defineSubgraph } from '${kit}';
       const none = () => ({});
       export const subgraph = defineSubgraph({ name: 'notes', folder: import.meta.dirname, models: none, loaders: none, resolvers: {}, permissions: {} });`,
    );
  });
  afterAll(() => rm(root, { recursive: true }));

  const write = async (file: string, text: string) => {
    await mkdir(join(root, file, '..'), { recursive: true });
    await writeFile(join(root, file), text);
  };
  const read = (file: string) => readFile(join(root, file), 'utf8');
  const run = async (check: boolean) => {
    const lines: string[] = [];
    const code = await runCompose({ root, check, say: (line) => lines.push(line) });
    return { code, text: lines.join('\n') };
  };

  test('names what is stale, writes it, and is content afterwards', async () => {
    expect(await run(true)).toEqual({
      code: 1,
      text: expect.stringMatching(/: schema\/supergraph\.graphql, schema\/events\.json, schema\/sagas\.json, schema\/routes\.json$/),
    });
    await expect(read('schema/supergraph.graphql')).rejects.toThrow('ENOENT');

    expect(await run(false)).toMatchObject({ code: 0 });
    expect(await run(true)).toEqual({ code: 0, text: 'The composed schema is up to date.' });
    expect(await read('.data/schema/subgraphs/notes.graphql')).toMatch(/scalar DateTime[^]*note: String/);

    await write('schema/supergraph.graphql', 'edited by hand');
    expect(await run(true)).toEqual({ code: 1, text: expect.stringMatching(/: schema\/supergraph\.graphql$/) });
  });

  test('says which folder is missing', async () => {
    await write(
      'rover.yaml',
      'subgraphs: { ghosts: { routing_url: "http://ghosts:4001/graphql", schema: { file: .data/schema/subgraphs/ghosts.graphql } } }',
    );

    expect(await run(false)).toEqual({ code: 1, text: 'rover.yaml lists ghosts, but subgraphs/ghosts/subgraph.ts is missing.' });
  });
});

test('refuses two routes with one path, and names both', () => {
  const route = (path: string) =>
    download(path, { description: 'A note.', auth: isSignedIn }, async () => Promise.reject(new Error('none')));
  const notes = { name: 'notes', routes: [route('/files/notes/:id')] };

  expect(routeList([notes, { name: 'other', routes: [route('/files/others/:id')] }]).map(({ path }) => path)).toEqual([
    '/files/notes/:id',
    '/files/others/:id',
  ]);
  expect(() => routeList([notes, { name: 'other', routes: [route('/files/notes/:noteId')] }])).toThrow(
    'GET /files/notes/:id of notes and GET /files/notes/:noteId of other are one path',
  );
});
