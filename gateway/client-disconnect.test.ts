import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { request, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { parse } from 'graphql';
import { composeSupergraph } from '../schema/compose.ts';
import { httpTransport } from '#shared/transport/http-transport.ts';
import { createLog } from '#shared/base/log.ts';
import { openEngine } from './supergraph/open-engine.ts';
import { openHostile } from './testing/test-hostile.ts';
import { openGatewayForTest } from './testing/open-gateway.ts';
import { testSubgraphs } from './testing/test-subgraphs.ts';

const opened: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const each of opened.splice(0).toReversed()) await each.close();
});

/** A gateway whose people answer when the test lets them; `next` resolves with what they are asked next. */
async function openSlow() {
  const { all, people, notes, boards } = testSubgraphs();
  const server = await openHostile(people);
  const transport = httpTransport('people', server.url, { isExternal: true });
  const gateway = await openGatewayForTest({ subgraphs: all, transports: { people: transport, notes, boards } });
  opened.push(server, transport, gateway);
  let taken = Promise.withResolvers<ServerResponse>();
  server.behave((_request, response) => taken.resolve(response));
  const next = async (): Promise<ServerResponse> => {
    const response = await taken.promise;
    taken = Promise.withResolvers();
    return response;
  };
  /** Someone who may hang up, on a connection of his own. */
  const caller = (query: string, accept = 'application/json') => {
    const asking = request(gateway.url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json', accept } });
    asking.end(JSON.stringify({ query }));
    const answer = once(asking, 'response').then(([response]) => text(response as IncomingMessage));
    // Of those who hang up.
    answer.catch(() => undefined);
    return { answer, leave: () => asking.destroy() };
  };
  /** Resolves when the gateway has noticed everyone who has left by now: it does so in the order in which they leave. */
  const noticed = async (): Promise<void> => {
    const { leave } = caller('{ viewer }');
    const asked = await next();
    leave();
    await once(asked, 'close');
  };
  return { gateway, notes, server, next, caller, noticed };
}

const NAME = '{ person(id: "p1") { name } }';
const ADA = { data: { person: { __typename: 'Person', id: 'p1', name: 'Ada' } } };
const say = (response: ServerResponse, body: object): void => void response.end(JSON.stringify(body));

test.each([['application/json'], ['text/event-stream']])('a client of %s that hangs up takes its fetch with it', async (accept) => {
  const { next, caller } = await openSlow();
  const { leave } = caller(NAME, accept);
  const asked = await next();

  leave();

  await once(asked, 'close');
  expect(asked.writableFinished).toBe(false);
});

test('so does one whose text is known already', async () => {
  const { next, caller } = await openSlow();
  const first = caller(NAME);
  say(await next(), ADA);
  await first.answer;
  const { leave } = caller(NAME);
  const asked = await next();

  leave();

  await once(asked, 'close');
  expect(asked.writableFinished).toBe(false);
});

test('a client that completes an operation over its socket takes its fetch with it, and can go on', async () => {
  const { gateway, next, server } = await openSlow();
  const socket = gateway.socket({ lazy: false });
  const dropped = socket.subscribe({ query: NAME }, { next: () => undefined, error: () => undefined, complete: () => undefined });
  const asked = await next();

  dropped();

  await once(asked, 'close');
  server.behave();
  expect((await socket.iterate({ query: NAME }).next()).value).toEqual({ data: { person: { name: 'Ada' } } });
});

test('a client that closes its socket takes its fetch with it', async () => {
  const { gateway, next } = await openSlow();
  const socket = gateway.socket();
  socket.subscribe({ query: NAME }, { next: () => undefined, error: () => undefined, complete: () => undefined });
  const asked = await next();

  socket.terminate();

  await once(asked, 'close');
  expect(asked.writableFinished).toBe(false);
});

test('nothing more of its plan is fetched', async () => {
  const { next, caller, notes, gateway } = await openSlow();
  const { leave } = caller('{ person(id: "p1") { boards { notes { text } } } }');
  const asked = await next();
  leave();
  await once(asked, 'close');

  // Answered later than whatever would have followed at once.
  await gateway.ask('{ note(id: "n1") { text } }');

  expect(notes.asked.filter(({ query }) => query.includes('_entities'))).toEqual([]);
});

test('who has gone while his operation was planned asks nobody', async () => {
  const { all, people } = testSubgraphs();
  const engine = openEngine({
    supergraphSdl: composeSupergraph(all.map((each) => ({ ...each, url: '' }))),
    transports: { people },
    log: createLog('test'),
  });
  const envelope = { identity: { issuer: 'gateway', viewer: null }, correlationId: 'c', deadline: Date.now() + 10_000 } as const;

  await engine.execute({ source: NAME, document: parse(NAME), ...envelope, signal: AbortSignal.abort() });

  expect(people.asked).toEqual([]);
  await engine.close();
});

test('who asked for the same still gets the answer', async () => {
  const { next, caller, server, gateway, noticed } = await openSlow();
  const one = caller(NAME);
  const asked = await next();
  const other = caller(NAME);
  // In the gateway by the time that this one is answered.
  await gateway.ask('{ boards { nodes { title } } }');

  one.leave();
  await noticed();
  say(asked, ADA);

  expect(JSON.parse(await other.answer)).toEqual({ data: { person: { name: 'Ada' } } });
  expect(server.asked.filter(({ query }) => query.includes('person'))).toHaveLength(1);
});

test('who comes after the last one has gone is answered anew', async () => {
  const { next, caller, server } = await openSlow();
  const { leave } = caller(NAME);
  const asked = await next();
  leave();
  await once(asked, 'close');
  server.behave();

  expect(JSON.parse(await caller(NAME).answer)).toEqual({ data: { person: { name: 'Ada' } } });
});

test('a mutation runs to its end, whoever leaves', async () => {
  const { next, caller, notes, noticed } = await openSlow();
  const written = Promise.withResolvers<void>();
  const { execute } = notes;
  notes.execute = (request) => {
    written.resolve();
    return execute(request);
  };
  const { leave } = caller('mutation { rename(id: "p1", name: "Eve") { name } writeNote(boardId: "b1", text: "t") { text } }');
  const asked = await next();

  leave();
  await noticed();
  say(asked, { data: { rename: { __typename: 'Person', id: 'p1', name: 'Eve' } } });

  await written.promise;
  expect(asked.writableFinished).toBe(true);
});
