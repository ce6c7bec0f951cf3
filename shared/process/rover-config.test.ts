import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRoverConfig } from './rover-config.ts';

const ROVER = `
federation_version: =2.14.4
subgraphs:
  notes: { routing_url: "http://notes:4001/graphql", schema: { file: schema/subgraphs/notes.graphql } }
  boards: { routing_url: "http://boards:4002/graphql", schema: { file: schema/subgraphs/boards.graphql } }
`;

let root: string;
const write = (text: string) => writeFile(join(root, 'rover.yaml'), text);
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'manifest-'));
});
afterAll(() => rm(root, { recursive: true }));

test('lists the subgraphs in their order, with ports from 4001', async () => {
  await write(ROVER);

  expect(readRoverConfig(root, { NODE_ENV: 'production' })).toEqual([
    {
      name: 'notes',
      routingUrl: 'http://notes:4001/graphql',
      schemaFile: 'schema/subgraphs/notes.graphql',
      baseUrl: 'http://notes:4001',
      port: 4001,
    },
    {
      name: 'boards',
      routingUrl: 'http://boards:4002/graphql',
      schemaFile: 'schema/subgraphs/boards.graphql',
      baseUrl: 'http://boards:4002',
      port: 4002,
    },
  ]);
});

test('reaches them on this machine outside production, where the host names of a deployment lead nowhere', async () => {
  await write(ROVER);

  expect(readRoverConfig(root, {}).map(({ baseUrl }) => baseUrl)).toEqual(['http://127.0.0.1:4001', 'http://127.0.0.1:4002']);
});

test.each([
  ['http://127.0.0.1:5001', 'http://127.0.0.1:5001', 5001],
  ['http://127.0.0.1:5001/graphql', 'http://127.0.0.1:5001', 5001],
  ['http://balancer/boards/', 'http://balancer/boards', 4002],
])('reaches a subgraph where SUBGRAPH_URLS says: %s', async (override, baseUrl, port) => {
  await write(ROVER);

  const [notes, boards] = readRoverConfig(root, { NODE_ENV: 'production', SUBGRAPH_URLS: JSON.stringify({ boards: override }) });

  expect(boards).toMatchObject({ baseUrl, port, routingUrl: 'http://boards:4002/graphql' });
  expect(notes).toMatchObject({ baseUrl: 'http://notes:4001', port: 4001 });
});

describe('refuses', () => {
  test.each([
    ['no JSON', '{boards', 'SUBGRAPH_URLS: must be JSON'],
    ['no addresses', '{"boards":"here"}', 'SUBGRAPH_URLS.boards'],
    ['a subgraph nobody knows', '{"people":"http://127.0.0.1:1"}', 'names people'],
  ])('addresses that are %s', async (_case, SUBGRAPH_URLS, message) => {
    await write(ROVER);

    expect(() => readRoverConfig(root, { SUBGRAPH_URLS })).toThrow(message);
  });

  test('an entry without an address, and names it', async () => {
    await write('subgraphs: { notes: { schema: { file: a.graphql } } }');

    expect(() => readRoverConfig(root, {})).toThrow(/rover.yaml[^]*notes/);
  });
});
