import { describe, expect, test } from '@jest/globals';
import { architectureFaults } from './architecture.ts';
import { givenUpNames } from './file-names.ts';
import { forbiddenImports } from './imports.ts';
import { readImports } from './source.ts';
import { domainWords } from './words.ts';

const importing = (file: string, ...lines: string[]): string[] => forbiddenImports([{ file, text: lines.join('\n') }]);
const words = (text: string): string[] => domainWords([{ file: 'shared/note.ts', text }]);

test('this project keeps its own rules', () => {
  expect(architectureFaults()).toEqual([]);
});

describe('reading imports', () => {
  test.each([
    ['a static import', `import { a } from './a.ts';`, false],
    ['an import for its effect', `import './a.ts';`, false],
    ['a namespace', `import * as a from './a.ts';`, false],
    ['an import over several lines', `import {\n  a,\n  type B,\n} from './a.ts';`, false],
    ['a type import', `import type { A } from './a.ts';`, true],
    ['an import of types one by one', `import { type A, type B } from './a.ts';`, true],
    ['a re-export', `export { a } from './a.ts';`, false],
    ['a re-export of everything', `export * from './a.ts';`, false],
    ['a re-exported type', `export type { A } from './a.ts';`, true],
    ['a dynamic import', `async function load() {\n  return import('./a.ts');\n}`, false],
    ['a require', `const a = require('./a.ts');`, false],
    ['an import inside a type', `let a: import('./a.ts').A;`, true],
  ])('finds %s', (_case, text, typeOnly) => {
    expect(readImports({ file: 'shared/b.ts', text }).imports).toEqual([{ specifier: './a.ts', typeOnly }]);
  });

  test('takes neither comments nor texts for imports', () => {
    const text = "// import './a.ts';\n/* import './b.ts'; */\nexport const c = `\nimport './c.ts';\n`;\n";

    expect(readImports({ file: 'shared/b.ts', text }).imports).toEqual([]);
  });

  test('refuses a file that is no TypeScript', () => {
    expect(() => readImports({ file: 'shared/b.ts', text: 'export const = 1' })).toThrow('shared/b.ts cannot be parsed');
  });
});

describe('who may import whom', () => {
  test.each([
    ['a contract, a role of its folder', 'contract.ts', `import { a } from './model.ts'`, 'model.ts'],
    ['a contract, a type of its folder', 'contract.ts', `import type { A } from './model.ts'`, 'model.ts'],
    ['a contract, another contract', 'contract.ts', `import type { A } from '../boards/contract.ts'`, 'boards/contract.ts'],
    ['a contract, other shared code', 'contract.ts', `import { a } from '#shared/store/mongo.ts'`, 'shared/store/mongo.ts'],
    ['a contract, other packages', 'contract.ts', `import { a } from 'mongoose'`, 'mongoose'],
    ['a model, GraphQL', 'model.ts', `import { a } from 'graphql'`, 'graphql'],
    ['a file of a model folder, queues', 'model/note.ts', `import type { Job } from 'bullmq'`, 'bullmq'],
    ['a model, another subgraph', 'model.ts', `import { a } from '../boards/contract.ts'`, 'boards/contract.ts'],
    ['loaders, actions', 'loaders.ts', `import { a } from './actions/a.ts'`, 'actions/a.ts'],
    ['actions, resolvers', 'actions.ts', `import { a } from './resolvers.ts'`, 'resolvers.ts'],
    ['actions, the model at run time', 'actions/a.ts', `import { models } from '../model.ts'`, 'model.ts'],
    ['actions, GraphQL', 'actions/a.ts', `import { GraphQLError } from 'graphql'`, 'graphql'],
    ['resolvers, the model at run time', 'resolvers.ts', `import { a } from './model/note.ts'`, 'model/note.ts'],
    ['resolvers, another subgraph', 'resolvers.ts', `import { a } from '../boards/contract.ts'`, 'boards/contract.ts'],
    ['handlers, resolvers', 'handlers.ts', `import { a } from './resolvers.ts'`, 'resolvers.ts'],
    ['handlers, the model at run time', 'handlers.ts', `import { a } from './model.ts'`, 'model.ts'],
    ['permissions, actions', 'permissions.ts', `import { a } from './actions.ts'`, 'actions.ts'],
    ['permissions, packages', 'permissions.ts', `import { rule } from 'graphql-shield'`, 'graphql-shield'],
    ['permissions, other shared code', 'permissions.ts', `import { a } from '#shared/store/mongo.ts'`, 'shared/store/mongo.ts'],
    ['a manifest, another subgraph', 'subgraph.ts', `import { a } from '../boards/contract.ts'`, 'boards/contract.ts'],
    ['a helper, a door', 'machine.ts', `import { a } from './resolvers.ts'`, 'resolvers.ts'],
    ['any role, another subgraph beyond its contract', 'actions.ts', `import { a } from '../boards/model.ts'`, 'boards/model.ts'],
    ['any role, even a type beyond the contract', 'handlers.ts', `import type { A } from '../boards/model.ts'`, 'boards/model.ts'],
    ['any role, dynamically too', 'actions.ts', `export const a = () => import('../boards/model.ts')`, 'boards/model.ts'],
    ['any role, the gateway', 'actions.ts', `import { a } from '../../gateway/a.ts'`, 'gateway/a.ts'],
    ['any role, code for tests', 'actions.ts', `import { a } from '#shared/testing/open.ts'`, 'shared/testing/open.ts'],
    ['any role, a file without its ending', 'actions.ts', `import { a } from './contract'`, './contract'],
  ])('forbids %s', (_case, file, line, named) => {
    const [fault, ...others] = importing(`subgraphs/notes/${file}`, line);

    expect(others).toEqual([]);
    expect(fault).toContain(`subgraphs/notes/${file}: imports `);
    expect(fault).toContain(named);
  });

  test.each([
    ['shared', 'shared/a.ts', '../subgraphs/notes/contract.ts'],
    ['shared', 'shared/testing/a.ts', '../../gateway/a.ts'],
    ['the gateway', 'gateway/plugins/a.ts', '../../subgraphs/notes/contract.ts'],
    ['the schema', 'schema/a.ts', '../subgraphs/notes/subgraph.ts'],
    ['the schema', 'schema/a.ts', '../demo/a.ts'],
  ])('forbids %s to leave for %s -> %s', (_case, file, specifier) => {
    expect(importing(file, `import { a } from '${specifier}';`)).toHaveLength(1);
  });

  test.each([
    ['a higher folder of the kit', 'shared/base/a.ts', `import { a } from '../kit/context.ts';`],
    ['a higher folder of the kit, even for a type', 'shared/store/a.ts', `import type { A } from '../kit/context.ts';`],
    ['another folder of its layer', 'shared/store/a.ts', `import { a } from '../cache/cache.ts';`],
    ['files beside the folders', 'shared/a.ts', `import { a } from './base/env.ts';`],
    ['a higher folder of the gateway', 'gateway/engine/a.ts', `import { a } from './planning/planner.ts';`],
    ['the root of the gateway', 'gateway/live/a.ts', `import { a } from '../gateway.ts';`],
    ['what runs the kit, in a subgraph', 'subgraphs/notes/actions/a.ts', `import { a } from '#shared/messaging/outbox.ts';`],
    ['how it is served, beyond its manifest', 'subgraphs/notes/handlers.ts', `import { a } from '#shared/process/serve-process.ts';`],
  ])('forbids %s', (_case, file, line) => {
    expect(importing(file, line)).toHaveLength(1);
  });

  test('forbids a default export', () => {
    expect(importing('shared/a.ts', 'export default 1;')).toEqual(['shared/a.ts: exports a default; give it a name']);
    expect(importing('demo/a.test.ts', 'const a = 1;', 'export { a as default };')).toHaveLength(1);
  });

  test('names every fault of a file, each once', () => {
    const lines = [`import { a } from './model.ts';`, `import { b } from './model.ts';`, `import { c } from './resolvers.ts';`];

    expect(importing('subgraphs/notes/actions.ts', ...lines)).toHaveLength(2);
  });

  test.each([
    ['subgraphs/notes/contract.ts', `import { z } from 'zod'; import { defineEvent } from '#shared/kit/define-event.ts';`],
    ['subgraphs/notes/contract.ts', `import type { AnyContext } from '#shared/kit/context.ts';`],
    [
      'subgraphs/notes/actions/a.ts',
      `import { b } from './b.ts'; import { c } from '../contract.ts'; import type { D } from '../model.ts';`,
    ],
    ['subgraphs/notes/actions.ts', `import { a } from '../boards/contract.ts'; import { b } from './machine.ts';`],
    ['subgraphs/notes/loaders.ts', `import { a } from '../boards/contract.ts'; import { byId } from '#shared/store/loaders.ts';`],
    ['subgraphs/notes/resolvers.ts', `import { a } from './actions/a.ts'; import type { B } from './model.ts';`],
    ['subgraphs/notes/permissions.ts', `import { a } from '#shared/kit/permissions.ts'; import type { B } from './actions.ts';`],
    ['subgraphs/notes/subgraph.ts', `import { a } from './resolvers.ts'; export const b = import('#shared/process/serve-process.ts');`],
    ['subgraphs/notes/subgraph.test.ts', `import { a } from '../boards/model.ts'; import { open } from '#shared/testing/open.ts';`],
    ['subgraphs/notes/fixtures.ts', `import { a } from '#shared/kit/define-subgraph.ts'; import { open } from '#shared/testing/open.ts';`],
    ['subgraphs/notes/testing/pages.ts', `import { a } from '../subgraph.ts'; import { open } from '#shared/testing/open.ts';`],
    ['shared/kit/a.ts', `import { a } from '../store/mongo.ts'; import type { B } from './context.ts';`],
    ['gateway/engine/a.ts', `import type { A } from '../supergraph/loaded-graph.ts'; import { b } from './fields.ts';`],
    ['gateway/a.ts', `import { a } from '../shared/a.ts'; import { b } from '../schema/compose.ts';`],
    ['demo/start.ts', `import { a } from '../subgraphs/notes/subgraph.ts'; import { b } from '../../gateway/main.ts';`],
    ['shared/testing/global-setup.ts', 'export default function setup() {}'],
  ])('allows %s %s', (file, text) => {
    expect(importing(file, text)).toEqual([]);
  });
});

test('refuses file names that were given up for a standard term, also of a test', () => {
  expect(givenUpNames(['gateway/live/flights.ts', 'subgraphs/notes/kept.test.ts', 'shared/cache/cache.ts', 'demo/ports.ts'])).toEqual([
    'gateway/live/flights.ts: the name flights was given up; the standard term is single-flight',
    'subgraphs/notes/kept.test.ts: the name kept was given up; the standard term is cache',
  ]);
});

describe('words of the domain', () => {
  test.each([
    ['const vendorId = 1;', '"vendor" in vendorId'],
    ['const VENDOR_IDS = 1;', '"vendor" in VENDOR_IDS'],
    ['// so that two carts are merged', '"cart" in carts'],
    ['list all categories', '"category" in categories'],
    ["queue('inventory-alerts')", '"inventory" in inventory-alerts'],
    ['const orderId = 1;', '"order" in orderId'],
    ['type ORDER_STATUS = 1;', '"order" in ORDER_STATUS'],
    ['await placeOrder(input);', '"order" in placeOrder'],
    ["defineEvent('Order.Created')", '"order" as in Order'],
    ['topic(`order:${id}:status`)', '"order" as in order:'],
    ["command('orders')", '"order" as in orders'],
    ['// the orders of a person', '"order" as in orders'],
  ])('are found in: %s', (text, found) => {
    expect(words(`\n${text}`)).toEqual([`shared/note.ts:2: ${found}`]);
  });

  test.each([
    '// in order to keep the order of keys',
    'const options = { sortOrder: 1, order: 1, orderBy: "name" };',
    'sort({ order: -1, _id: 1 })',
    '// Order of the links: first one wins. A clock orders them.',
    '// a production stocking categorical accounted reorder reordered unordered in-order',
    '// takes into account what happened; account for it',
    'const recorder = border(ordering);',
  ])('are not seen in: %s', (text) => {
    expect(words(text)).toEqual([]);
  });
});
