import { afterEach, describe, expect, test } from '@jest/globals';
import { composeSupergraph } from '../schema/compose.ts';
import { unavailable } from '#shared/base/errors.ts';
import { openEngine } from './supergraph/open-engine.ts';
import type { Planner } from './engine/planning/planner.ts';
import { planInProcess } from './engine/planning/in-process-planner.ts';
import { openGatewayForTest } from './testing/open-gateway.ts';
import { testSubgraphs } from './testing/test-subgraphs.ts';

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

async function open(options: Partial<Parameters<typeof openGatewayForTest>[0]> = {}) {
  const subgraphs = testSubgraphs();
  const gateway = await openGatewayForTest({ subgraphs: subgraphs.all, ...options });
  opened.push(gateway);
  return { gateway, subgraphs };
}

/** The same subgraphs, changed as their SDL is. */
function changed({ all }: ReturnType<typeof testSubgraphs>, change: (name: string, typeDefs: string) => string) {
  const transports = Object.fromEntries(all.map((subgraph) => [subgraph.name, subgraph]));
  const services = all.map(({ name, typeDefs }) => ({ name, typeDefs: change(name, typeDefs), url: `http://${name}/graphql` }));
  return { supergraphSdl: composeSupergraph(services), transports };
}

const withoutEmail = (_name: string, typeDefs: string): string => typeDefs.replace('email: String', '');

test('returns a retryable error when planning fails for now', async () => {
  let isDown = true;
  const { gateway } = await open({
    openEngine(options) {
      const planner = planInProcess(options.supergraphSdl);
      const plan: Planner['plan'] = async (asked) => {
        if (isDown) throw unavailable('planner');
        return planner.plan(asked);
      };
      return openEngine({ ...options, planner: { ...planner, plan } });
    },
  });
  const query = '{ note(id: "n1") { text } }';

  expect(await gateway.ask(query)).toMatchObject({ status: 503, errors: [{ extensions: { code: 'UNAVAILABLE', retryable: true } }] });
  isDown = false;
  expect(await gateway.ask(query)).toMatchObject({ status: 200, data: { note: { text: 'one' } } });
});

describe('a reload', () => {
  test('serves the new supergraph, and streams continue without a message', async () => {
    const { gateway, subgraphs } = await open();
    const stream = gateway.subscribe('subscription { noteChanged(boardId: "b1") { text author { name } } }');
    const first = stream.next();
    await subgraphs.listeners(1);

    await gateway.reload(changed(subgraphs, withoutEmail));

    subgraphs.changeNote('b1', { id: 'n1', text: 'after', authorId: 'p1' });
    expect((await first).value).toEqual({ data: { noteChanged: { text: 'after', author: { name: 'Ada' } } } });
    expect((await gateway.ask('{ note(id: "n1") { author { email } } }')).errors?.[0]?.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect((await gateway.ask('{ note(id: "n1") { author { name } } }')).data).toEqual({ note: { author: { name: 'Ada' } } });
  });

  test('lets a request in flight finish on the old one', async () => {
    const { gateway, subgraphs } = await open();
    const asked = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    const { execute } = subgraphs.people;
    subgraphs.people.execute = async (request) => {
      asked.resolve();
      await held.promise;
      return execute(request);
    };

    const response = gateway.ask('{ note(id: "n1") { author { name email } } }');
    await asked.promise;
    await gateway.reload(changed(subgraphs, withoutEmail));
    held.resolve();

    expect((await response).data).toEqual({ note: { author: { name: 'Ada', email: 'p1@example.org' } } });
  });

  test('changes nothing when the new supergraph is invalid', async () => {
    const { gateway, subgraphs } = await open();

    await expect(gateway.reload({ ...changed(subgraphs, withoutEmail), supergraphSdl: 'type Query { a: Int }' })).rejects.toThrow();

    expect((await gateway.ask('{ note(id: "n1") { author { email } } }')).data.note.author.email).toBe('p1@example.org');
  });

  test('reuses unaffected plans, and makes the others before the first request', async () => {
    const planned: string[] = [];
    const { gateway, subgraphs } = await open({
      openEngine(options) {
        const planner = planInProcess(options.supergraphSdl);
        const plan: Planner['plan'] = (asked) => (planned.push(asked.source), planner.plan(asked));
        return openEngine({ ...options, planner: { ...planner, plan } });
      },
    });
    const text = '{ note(id: "n1") { text } }';
    const name = '{ note(id: "n1") { author { name } } }';
    const email = '{ note(id: "n1") { author { email } } }';
    for (const query of [text, name, email]) await gateway.ask(query);

    await gateway.reload(changed(subgraphs, (_name, typeDefs) => typeDefs.replace('email: String', 'email: String!')));
    expect(planned.splice(0)).toEqual([text, name, email, email]);

    for (const query of [text, name]) expect((await gateway.ask(query)).errors).toBeUndefined();
    expect(planned).toEqual([]);
  });

  test('may follow another one in progress; the last one wins', async () => {
    const { gateway, subgraphs } = await open({ planning: 'worker' });
    const same = changed(subgraphs, (_name, typeDefs) => typeDefs);

    await Promise.all([gateway.reload(changed(subgraphs, withoutEmail)), gateway.reload(same)]);

    expect((await gateway.ask('{ note(id: "n1") { author { email } } }')).data.note.author.email).toBe('p1@example.org');
  });
});
