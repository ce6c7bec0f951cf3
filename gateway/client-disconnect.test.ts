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

/** A gateway whose subgraph `people` responds when the test lets it; `next` resolves with its next request. */
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
  /** A client that can disconnect, on its own connection. */
  const client = (query: string, accept = 'application/json') => {
    const clientRequest = request(gateway.url, { method: 'POST', agent: false, headers: { 'content-type': 'application/json', accept } });
    clientRequest.end(JSON.stringify({ query }));
    const body = once(clientRequest, 'response').then(([response]) => text(response as IncomingMessage));
    // Of the clients that disconnect.
    body.catch(() => undefined);
    return { body, disconnect: () => clientRequest.destroy() };
  };
  /** Resolves when the gateway has noticed every disconnect so far: it notices them in order. */
  const noticed = async (): Promise<void> => {
    const { disconnect } = client('{ viewer }');
    const fetched = await next();
    disconnect();
    await once(fetched, 'close');
  };
  return { gateway, notes, server, next, client, noticed };
}

const NAME = '{ person(id: "p1") { name } }';
const ADA = { data: { person: { __typename: 'Person', id: 'p1', name: 'Ada' } } };
const respond = (response: ServerResponse, body: object): void => void response.end(JSON.stringify(body));

test.each([['application/json'], ['text/event-stream']])('aborts the fetch when the %s client disconnects', async (accept) => {
  const { next, client } = await openSlow();
  const { disconnect } = client(NAME, accept);
  const fetched = await next();

  disconnect();

  await once(fetched, 'close');
  expect(fetched.writableFinished).toBe(false);
});

test('aborts the fetch of a cached document too', async () => {
  const { next, client } = await openSlow();
  const first = client(NAME);
  respond(await next(), ADA);
  await first.body;
  const { disconnect } = client(NAME);
  const fetched = await next();

  disconnect();

  await once(fetched, 'close');
  expect(fetched.writableFinished).toBe(false);
});

test('aborts the fetch when a client completes the operation, and keeps the socket', async () => {
  const { gateway, next, server } = await openSlow();
  const socket = gateway.socket({ lazy: false });
  const dropped = socket.subscribe({ query: NAME }, { next: () => undefined, error: () => undefined, complete: () => undefined });
  const fetched = await next();

  dropped();

  await once(fetched, 'close');
  server.behave();
  expect((await socket.iterate({ query: NAME }).next()).value).toEqual({ data: { person: { name: 'Ada' } } });
});

test('aborts the fetch when the client closes its socket', async () => {
  const { gateway, next } = await openSlow();
  const socket = gateway.socket();
  socket.subscribe({ query: NAME }, { next: () => undefined, error: () => undefined, complete: () => undefined });
  const fetched = await next();

  socket.terminate();

  await once(fetched, 'close');
  expect(fetched.writableFinished).toBe(false);
});

test('sends no further fetches of the plan', async () => {
  const { next, client, notes, gateway } = await openSlow();
  const { disconnect } = client('{ person(id: "p1") { boards { notes { text } } } }');
  const fetched = await next();
  disconnect();
  await once(fetched, 'close');

  // Its response comes after any fetch that would have followed at once.
  await gateway.ask('{ note(id: "n1") { text } }');

  expect(notes.asked.filter(({ query }) => query.includes('_entities'))).toEqual([]);
});

test('sends no fetch when the client disconnected during planning', async () => {
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

test('still responds to another client with the same operation', async () => {
  const { next, client, server, gateway, noticed } = await openSlow();
  const one = client(NAME);
  const fetched = await next();
  const other = client(NAME);
  // The gateway has it by the time this one is answered.
  await gateway.ask('{ boards { nodes { title } } }');

  one.disconnect();
  await noticed();
  respond(fetched, ADA);

  expect(JSON.parse(await other.body)).toEqual({ data: { person: { name: 'Ada' } } });
  expect(server.requests.filter(({ query }) => query.includes('person'))).toHaveLength(1);
});

test('starts a new fetch after every waiting client has disconnected', async () => {
  const { next, client, server } = await openSlow();
  const { disconnect } = client(NAME);
  const fetched = await next();
  disconnect();
  await once(fetched, 'close');
  server.behave();

  expect(JSON.parse(await client(NAME).body)).toEqual({ data: { person: { name: 'Ada' } } });
});

test('runs a mutation to its end after a disconnect', async () => {
  const { next, client, notes, noticed } = await openSlow();
  const written = Promise.withResolvers<void>();
  const { execute } = notes;
  notes.execute = (request) => {
    written.resolve();
    return execute(request);
  };
  const { disconnect } = client('mutation { rename(id: "p1", name: "Eve") { name } writeNote(boardId: "b1", text: "t") { text } }');
  const fetched = await next();

  disconnect();
  await noticed();
  respond(fetched, { data: { rename: { __typename: 'Person', id: 'p1', name: 'Eve' } } });

  await written.promise;
  expect(fetched.writableFinished).toBe(true);
});
