import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, test } from '@jest/globals';
import type { EngineOptions } from '../engine/types.ts';
import { openEngine } from './open-engine.ts';
import { planInProcess } from '../engine/planning/in-process-planner.ts';
import { createPersistedOperations } from './persisted-operations.ts';
import { openGatewayForTest } from '../testing/open-gateway.ts';
import { testSubgraphs } from '../testing/test-subgraphs.ts';

const hashOf = (body: string): string => createHash('sha256').update(body).digest('hex');
const manifestOf = (...bodies: string[]) => ({
  operations: bodies.map((body) => ({ id: hashOf(body), name: 'Any', type: 'query', body })),
});
const byHash = (body: string) => ({ extensions: { persistedQuery: { version: 1, sha256Hash: hashOf(body) } } });

const NOTE = 'query Note($id: ID!) { note(id: $id) { text author { name } } }';
const CHANGES = 'subscription Changes { noteChanged(boardId: "b1") { text } }';
const OTHER = '{ note(id: "n1") { id } }';
const NOTE_ANSWER = { note: { text: 'one', author: { name: 'Ada' } } };

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

async function open(options: Partial<Parameters<typeof openGatewayForTest>[0]> = {}) {
  const subgraphs = testSubgraphs();
  const gateway = await openGatewayForTest({
    subgraphs: subgraphs.all,
    persistedOperations: createPersistedOperations({ manifest: manifestOf(NOTE, CHANGES) }),
    ...options,
  });
  opened.push(gateway);
  return { gateway, subgraphs };
}

describe('a persisted operation', () => {
  test('is requested by its hash alone', async () => {
    const { gateway } = await open();
    const variables = { id: 'n1' };

    expect(await gateway.post({ ...byHash(NOTE), variables })).toMatchObject({ status: 200, data: NOTE_ANSWER });
    expect((await gateway.post({ ...byHash(NOTE), variables })).data).toEqual(NOTE_ANSWER);

    const inUrl = new URLSearchParams({ variables: JSON.stringify(variables), extensions: JSON.stringify(byHash(NOTE).extensions) });
    const answer = await fetch(`${gateway.url}?${inUrl.toString()}`, { headers: { 'apollo-require-preflight': 'yes' } });
    expect(await answer.json()).toEqual({ data: NOTE_ANSWER });
  });

  test('is requested by its hash over a socket', async () => {
    const { gateway, subgraphs } = await open();
    const stream = gateway.socket().iterate({ query: '', ...byHash(CHANGES) });
    const first = stream.next();
    await subgraphs.listeners(1);
    subgraphs.changeNote('b1', { id: 'n1', text: 'new', authorId: 'p1' });

    expect((await first).value).toEqual({ data: { noteChanged: { text: 'new' } } });
  });

  test('differs from an unknown one', async () => {
    const { gateway } = await open();
    const expected = [expect.objectContaining({ extensions: expect.objectContaining({ code: 'PERSISTED_QUERY_NOT_FOUND' }) })];

    expect(await gateway.post(byHash(OTHER))).toMatchObject({ status: 200, errors: expected });
    expect((await gateway.post({ query: OTHER, ...byHash(OTHER) })).data).toEqual({ note: { id: 'n1' } });
    expect(await gateway.post(byHash(OTHER))).toMatchObject({ errors: expected });
    await expect(
      gateway
        .socket()
        .iterate({ query: '', ...byHash(OTHER) })
        .next(),
    ).rejects.toEqual(expected);
  });

  test('may be the only kind that is served: other documents are not parsed', async () => {
    const { gateway } = await open({ persistedOperations: createPersistedOperations({ manifest: manifestOf(NOTE), persistedOnly: true }) });
    const refused = [{ extensions: { code: 'UNKNOWN_OPERATION' } }];

    expect((await gateway.ask(NOTE, { id: 'n1' })).data).toEqual(NOTE_ANSWER);
    expect(await gateway.ask('{{{ no GraphQL')).toMatchObject({ status: 400, errors: refused });
    expect(await gateway.ask(OTHER, {}, { headers: { accept: 'text/event-stream' } })).toMatchObject({ status: 400, errors: refused });
    expect(await (await fetch(`${gateway.url}?query=${encodeURIComponent(OTHER)}`)).json()).toMatchObject({ errors: refused });
    await expect(gateway.socket().iterate({ query: OTHER }).next()).rejects.toMatchObject(refused);
  });

  test('has the hash of its body as its id', () => {
    expect(() => createPersistedOperations({ manifest: { operations: [{ id: hashOf(OTHER), body: NOTE }] } })).toThrow(
      'is not the SHA-256',
    );
  });
});

describe('the query plans file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'soko-plans-'));
  const queryPlansFile = join(folder, 'kept/plans.json');
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Opens a gateway, and tells what was planned until it was open. */
  async function plannedAtStart(change: (typeDefs: string) => string = (typeDefs) => typeDefs): Promise<string[]> {
    const planned: string[] = [];
    const counting = (options: EngineOptions) => {
      const planner = planInProcess(options.supergraphSdl);
      return openEngine({ ...options, planner: { ...planner, plan: (asked) => (planned.push(asked.source), planner.plan(asked)) } });
    };
    const subgraphs = testSubgraphs().all.map((subgraph) => ({ ...subgraph, typeDefs: change(subgraph.typeDefs) }));
    const { gateway } = await open({ subgraphs, queryPlansFile, openEngine: counting });
    const count = planned.length;
    expect((await gateway.post({ ...byHash(NOTE), variables: { id: 'n1' } })).data).toEqual(NOTE_ANSWER);
    expect(planned).toHaveLength(count);
    return planned;
  }

  test('saves planning after a restart while the supergraph is the same', async () => {
    expect(await plannedAtStart()).toEqual([NOTE, CHANGES]);
    expect(await plannedAtStart()).toEqual([]);
    expect(await plannedAtStart((typeDefs) => typeDefs.replace('email: String', 'email: String nick: String'))).toEqual([]);
    expect(await plannedAtStart((typeDefs) => typeDefs.replace('name: String  email', 'name: String!  email'))).toEqual([NOTE]);
  });

  test('is written again when it is broken', async () => {
    writeFileSync(queryPlansFile, 'half a fi');

    expect(await plannedAtStart()).toEqual([NOTE, CHANGES]);
    expect(JSON.parse(readFileSync(queryPlansFile, 'utf8')).plans).toHaveLength(2);
  });
});
