import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { httpTransport, type HttpTransport } from '../transport/http-transport.ts';
import { serve, type Served } from '../transport/server.ts';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type Data, type TestApp } from '../testing/open.ts';

const SUBSCRIBE = 'subscription ($after: Cursor) { boardCreated(after: $after) { cursor title } }';
const CREATE = 'mutation ($input: CreateBoardInput!) { createBoard(input: $input) { board { id } userErrors { code } } }';

type Stream = AsyncIterableIterator<ExecutionResult<Data>>;

let app: TestApp;
let served: Served;
let remote: HttpTransport;
beforeAll(async () => {
  app = await open(subgraph, { viewer: viewer('usr_ann') });
  served = await serve(app.runtime(), { port: 0 });
  remote = httpTransport('boards', served.url);
});
afterAll(async () => {
  await remote.close();
  await served.close();
  await app.close();
});

const create = (title: string) => app.ask(CREATE, { input: { title } });

describe.each(['in process', 'over HTTP'])('a subscription %s', (where) => {
  async function subscribe(more: { after?: string; wantsStart?: boolean } = {}): Promise<Stream> {
    const { after, wantsStart } = more;
    const identity = { issuer: 'gateway', viewer: viewer('usr_ann') };
    const request = { query: SUBSCRIBE, variables: { after }, identity, correlationId: 'c', deadline: Date.now() + 10_000, wantsStart };
    return (await (where === 'in process' ? app.runtime() : remote).subscribe(request)) as Stream;
  }

  test('gives each event its cursor', async () => {
    const stream = await subscribe({ wantsStart: true });
    await stream.next();

    await create('one');

    const { value } = await stream.next();
    expect(value).toEqual({
      data: { boardCreated: { title: 'one', cursor: expect.any(String) } },
      extensions: { cursor: value.data.boardCreated.cursor },
    });
    await stream.return!();
  });

  test('says where it begins when it is asked to, so that nothing is missed after it', async () => {
    const first = await subscribe({ wantsStart: true });
    const { value: start } = await first.next();
    expect(start).toEqual({ data: null, extensions: { cursor: expect.any(String) } });
    await first.return!();

    await create('missed');

    const second = await subscribe({ after: start.extensions.cursor, wantsStart: true });
    expect((await second.next()).value).toEqual(start);
    expect((await second.next()).value.data.boardCreated.title).toBe('missed');
    await second.return!();
  });

  test('that cannot begin says why, and nothing of a beginning', async () => {
    const stream = await subscribe({ after: '1-1', wantsStart: true });

    const { value } = await stream.next();

    expect(value).toMatchObject({ errors: [{ extensions: { code: 'CURSOR_EXPIRED' } }] });
    expect((await stream.next()).done).toBe(true);
  });

  test('that is left before it has begun ends', async () => {
    const stream = await subscribe({ wantsStart: true });
    const first = stream.next();

    await stream.return!();

    expect((await first).done).toBe(true);
  });
});
