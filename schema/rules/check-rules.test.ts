import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { newSubgraph } from '../../tools/new/new.ts';
import { ruleFaults } from './check-rules.ts';
import { ROOT } from './load-subgraph.ts';

/** Below this project, so that `#shared/*` means the kit. */
let folder: string;
beforeAll(() => {
  mkdirSync(join(ROOT, '.data'), { recursive: true });
  folder = mkdtempSync(join(ROOT, '.data', 'rules-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The places after which `npm run new` adds a service. */
const COMPOSE = `services:
  gateway:
    depends_on:
      one: { condition: service_started }
  one:
    <<: *subgraph
    command: []
`;

/** A project of its own with the subgraph `notes` as `npm run new` writes it. */
function fixture(): { root: string; change: (file: string, from: string | RegExp, to: string) => void } {
  const root = mkdtempSync(join(folder, 'project-'));
  writeFileSync(join(root, 'rover.yaml'), 'subgraphs:\n');
  writeFileSync(join(root, 'docker-compose.yml'), COMPOSE);
  newSubgraph(root, 'notes');
  // The anchor of the first services is not part of this fixture.
  writeFileSync(join(root, 'docker-compose.yml'), 'services: { gateway: {}, mongo: {}, notes: {} }\n');
  const change = (file: string, from: string | RegExp, to: string): void => {
    const path = join(root, 'subgraphs/notes', file);
    const before = readFileSync(path, 'utf8');
    const after = before.replace(from, to);
    if (after === before) throw new Error(`${file} has no ${String(from)}`);
    writeFileSync(path, after);
  };
  return { root, change };
}

const one = (root: string): Promise<string[]> => ruleFaults({ root, only: 'notes' });

test('a subgraph that npm run new writes breaks no rule', async () => {
  expect(await one(fixture().root)).toEqual([]);
});

test.each<[fault: string, file: string, from: string | RegExp, to: string, line: string]>([
  [
    'a resolver without a field',
    'resolvers.ts',
    'Query: {',
    'Query: { lost: () => null,',
    'resolvers.ts has Query.lost, which the schema does not have',
  ],
  [
    'a resolver without a type',
    'resolvers.ts',
    '  Note: {',
    '  Lost: { id: () => 1 },\n  Note: {',
    'resolvers.ts has Lost, which the schema does not have',
  ],
  ['a root field without a resolver', 'resolvers.ts', /\n *myNotes: \(.*/, '', 'Query.myNotes has no resolver and no field of its row'],
  ['a mutation without a resolver', 'resolvers.ts', /\n *Mutation: .*/, '', 'Mutation.createNote has no resolver and no field of its row'],
  [
    'a field of an entity that its row does not have, without a resolver',
    'schema.graphql',
    '  title: String!\n}\n\ntype Query',
    '  title: String!\n  "How long it is."\n  length: Int\n}\n\ntype Query',
    'Note.length has no resolver and no field of its row',
  ],
  [
    'an entity that is not resolved by reference',
    'resolvers.ts',
    /\n *__resolveReference: .*/,
    '',
    'Note.__resolveReference has no resolver and no field of its row',
  ],
  ['a field without description', 'schema.graphql', '  "Begins with not_."\n', '', 'Note.id has no description'],
  ['a type without description', 'schema.graphql', /"Say here.*\n/, '', 'Note has no description'],
  ['an argument without description', 'schema.graphql', '"Its id." ', '', 'Query.note(id:) has no description'],
  [
    'a mutation without permission',
    'permissions.ts',
    /\n *Mutation: .*/,
    '',
    'Mutation.createNote has no permission; add a rule to permissions.ts',
  ],
  ['a query without permission', 'permissions.ts', 'note: allow, ', '', 'Query.note has no permission; add a rule to permissions.ts'],
  [
    'an entity without permission',
    'permissions.ts',
    /\n *Note: .*/,
    '',
    "Note has no permission for its fields; add '*' to permissions.ts",
  ],
  [
    'a permission without a field',
    'permissions.ts',
    'Query: {',
    'Query: { lost: allow,',
    'permissions.ts has a rule for Query.lost, which the schema does not have',
  ],
  [
    'a model without retention',
    'model.ts',
    /\nretain\(.*/,
    '',
    'model Note has no retention; call retain(schema, ...) with how long its rows live',
  ],
  [
    'a retention by a job that nobody schedules',
    'model.ts',
    /retain\(noteSchema, .*/,
    `retain(noteSchema, { job: 'remove-notes' });`,
    'model Note leaves its retention to the job remove-notes, which handlers.ts does not schedule',
  ],
  [
    'a handler of an event that no contract declares',
    'handlers.ts',
    /export const handlers = \[/,
    `import { z } from 'zod';\nimport { defineEvent, onEvent } from '#shared/kit/define-event.ts';\nconst moved = defineEvent('Board.Moved', z.object({}));\nexport const handlers = [onEvent(moved, async () => {}),`,
    'handlers.ts subscribes to Board.Moved, which no contract.ts declares; import the event from the contract of its owner',
  ],
  ['a command without a handler', 'handlers.ts', /handleCommand\(.*\)\]/, ']', 'handlers.ts does not handle the command notes.findNotes'],
  ['a README without what is not here', 'README.md', /Not here: .*/, 'More.', 'README.md has no line "Not here: ..."'],
  ['a README without an event', 'README.md', 'Note.Created', 'events', 'README.md does not say that it publishes Note.Created'],
  [
    'an entity that the README does not name',
    'README.md',
    'Owns Note.',
    'Owns things.',
    'Note is not in the README; say in README.md what is owned and extended',
  ],
  [
    'a name that is not that of the folder',
    'subgraph.ts',
    `name: 'notes'`,
    `name: 'note'`,
    'subgraph.ts calls itself note; a subgraph is called like its folder',
  ],
  [
    'a mutation that takes no input',
    'schema.graphql',
    'createNote("The new note." input: CreateNoteInput!)',
    'createNote',
    'mutation createNote takes no `input: CreateNoteInput!` alone',
  ],
  [
    'a mutation beside the kit',
    'resolvers.ts',
    'mutation(CreateNote, createNote)',
    'async () => createNote(undefined as never, CreateNote as never)',
    'Mutation.createNote leaves no audit row; make it with mutation()',
  ],
  [
    'a root field that no audience sees',
    'schema.graphql',
    /(note\("Its id." id: ID!\): Note).*/,
    '$1',
    'Query.note is in no graph contract; add @tag for each audience',
  ],
  [
    'a list without end',
    'schema.graphql',
    '"Its id." id: ID!',
    '"Its ids." id: ID! "All of them." ids: [ID!]',
    'Query.note(ids:) does not say "at most" how many',
  ],
  [
    'a refusal that the schema does not declare',
    'actions.ts',
    /^/,
    `import { Problem } from '#shared/base/errors.ts';\nexport const full = () => new Problem('NOTES_FULL', 'Full.');\n`,
    'throws NOTES_FULL, which the schema does not declare; extend enum UserErrorCode',
  ],
  ['a file that cannot be loaded', 'permissions.ts', /^/, `throw new Error('broken');\n`, 'cannot be loaded: broken'],
  ['a schema that cannot be read', 'schema.graphql', 'type Query {', 'type Query {{', 'cannot be loaded: Syntax Error'],
])('tells %s in one line', async (_fault, file, from, to, line) => {
  const { root, change } = fixture();
  change(file, from, to);

  const faults = await one(root);

  expect(faults).toEqual([expect.stringContaining(line)]);
  expect(faults[0]).toMatch(/^subgraphs\/notes: /);
});

test.each([
  'README.md',
  'contract.ts',
  'model.ts',
  'loaders.ts',
  'actions.ts',
  'resolvers.ts',
  'handlers.ts',
  'permissions.ts',
  'schema.graphql',
  'subgraph.ts',
  'subgraph.test.ts',
])('tells that %s is missing, in one line', async (file) => {
  const { root } = fixture();
  rmSync(join(root, 'subgraphs/notes', file));

  const faults = await one(root);

  expect(faults).toEqual([`subgraphs/notes: ${file} is missing`]);
});

test('tells a folder that rover.yaml and docker-compose.yml do not list, and the reverse', async () => {
  const { root } = fixture();
  mkdirSync(join(root, 'subgraphs/boards'));
  appendFileSync(
    join(root, 'rover.yaml'),
    "  gifts: { routing_url: 'http://gifts:4001/graphql', schema: { file: .data/schema/subgraphs/gift.graphql } }\n",
  );

  const faults = (await ruleFaults({ root })).filter((fault) => !/subgraphs\/boards: .* is missing/.test(fault));

  expect(faults).toEqual([
    'subgraphs/boards: rover.yaml does not list it; add it, or remove the folder',
    'rover.yaml: lists gifts, but there is no folder subgraphs/gifts',
    'subgraphs/boards: docker-compose.yml has no service of this name',
    'rover.yaml: routing_url of gifts must be http://gifts:4002/graphql',
    'rover.yaml: schema file of gifts must be .data/schema/subgraphs/gifts.graphql',
  ]);
});

test('tells what two subgraphs both own or declare', async () => {
  const { root } = fixture();
  mkdirSync(join(root, 'subgraphs/boards'));
  for (const file of ['contract', 'model', 'loaders', 'actions', 'resolvers', 'handlers', 'permissions', 'subgraph', 'subgraph.test']) {
    const text = readFileSync(join(root, `subgraphs/notes/${file}.ts`), 'utf8').replaceAll(`'notes'`, `'boards'`);
    writeFileSync(join(root, `subgraphs/boards/${file}.ts`), text);
  }
  for (const file of ['README.md', 'schema.graphql'])
    writeFileSync(
      join(root, `subgraphs/boards/${file}`),
      readFileSync(join(root, `subgraphs/notes/${file}`), 'utf8').replace('# notes', '# boards'),
    );

  const faults = (await ruleFaults({ root })).filter((fault) => !/rover\.yaml|docker-compose/.test(fault));

  expect(faults).toEqual(['the event Note.Created 1 is declared twice', 'Note is owned by two subgraphs']);
});

test('tells which subgraph it cannot find', async () => {
  expect(await ruleFaults({ root: fixture().root, only: 'nots' })).toEqual(['there is no folder subgraphs/nots; it may be one of notes']);
});
