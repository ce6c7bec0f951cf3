import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { httpTransport, type HttpTransport } from '#shared/transport/http-transport.ts';
import { serve, type Served } from '#shared/transport/server.ts';
import { testSubgraphs, type TestSubgraphs } from './testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from './testing/open-gateway.ts';

const NOTE_CHANGED = `subscription Changed($board: ID!) {
  noteChanged(boardId: $board) { id words: text author { name boards { title } } }
}`;

describe.each(['in process', 'over HTTP'])('with subgraphs %s', (where) => {
  let subgraphs: TestSubgraphs;
  let gateway: TestGateway;
  let served: Served[] = [];
  let transports: Record<string, HttpTransport> = {};
  beforeAll(async () => {
    subgraphs = testSubgraphs();
    if (where === 'over HTTP') {
      served = await Promise.all(subgraphs.all.map((subgraph) => serve(subgraph, { port: 0 })));
      transports = Object.fromEntries(subgraphs.all.map(({ name }, i) => [name, httpTransport(name, served[i]!.url)]));
    }
    gateway = await openGatewayForTest({ subgraphs: subgraphs.all, ...(where === 'over HTTP' && { transports }) });
  });
  afterAll(async () => {
    await gateway.close();
    await Promise.all([...Object.values(transports), ...served].map((each) => each.close()));
  });

  /** A stream that listens already, so that what is said next is heard. */
  async function listen(query: string, variables: Record<string, unknown>) {
    await subgraphs.listeners(0);
    const stream = gateway.subscribe(query, variables);
    const first = stream.next();
    await subgraphs.listeners(1);
    return { stream, first };
  }

  test('joins the fields of other subgraphs for each event', async () => {
    const { stream, first } = await listen(NOTE_CHANGED, { board: 'b1' });

    subgraphs.changeNote('b1', { id: 'n1', text: 'changed', authorId: 'p1' });
    subgraphs.changeNote('b1', { id: 'n2', text: 'again', authorId: 'p2' });

    const expected = (id: string, words: string, author: object) => ({
      value: { data: { noteChanged: { id, words, author } } },
      done: false,
    });
    expect(await first).toEqual(expected('n1', 'changed', { name: 'Ada', boards: [{ title: 'Ideas' }] }));
    expect(await stream.next()).toEqual(expected('n2', 'again', { name: 'Bo', boards: [{ title: 'Plans' }] }));
    await stream.return();
  });

  test('keeps the streams of one socket apart, and ends each by itself', async () => {
    await subgraphs.listeners(0);
    const client = gateway.socket();
    const [one, two] = ['b1', 'b2'].map((board) => client.iterate<any>({ query: NOTE_CHANGED, variables: { board } }));
    const firsts = [one!.next(), two!.next()];
    await subgraphs.listeners(2);

    subgraphs.changeNote('b2', { id: 'n3', text: 'for two', authorId: 'p3' });
    expect((await firsts[1])?.value.data.noteChanged.words).toBe('for two');
    await two!.return?.();
    await subgraphs.listeners(1);
    subgraphs.changeNote('b1', { id: 'n1', text: 'for one', authorId: 'p1' });

    expect((await firsts[0])?.value.data.noteChanged.words).toBe('for one');
    await client.dispose();
    await subgraphs.listeners(0);
  });

  test('completes when the subgraph does', async () => {
    const events: unknown[] = [];

    for await (const { data } of gateway.subscribe('subscription { ticks(to: 3) }')) events.push(data);

    expect(events).toEqual([{ ticks: 1 }, { ticks: 2 }, { ticks: 3 }]);
  });

  test('passes on the Problem of a subscription', async () => {
    const events: any[] = [];

    for await (const event of gateway.subscribe('subscription { secretNotes { id } }')) events.push(event);

    expect(events).toEqual([
      {
        data: { secretNotes: null },
        errors: [{ message: 'You may not do this.', path: ['secretNotes'], extensions: expect.objectContaining({ code: 'FORBIDDEN' }) }],
      },
    ]);
  });

  test('masks a bug in the join of an event, and continues', async () => {
    const { stream, first } = await listen('subscription { noteChanged(boardId: "b1") { author { email } } }', {});

    subgraphs.changeNote('b1', { id: 'n1', text: 't', authorId: 'p2' });
    subgraphs.changeNote('b1', { id: 'n1', text: 't', authorId: 'p1' });

    const broken = (await first).value!;
    expect(broken.data).toEqual({ noteChanged: { author: { email: null } } });
    expect(broken.errors).toMatchObject([{ path: ['noteChanged', 'author', 'email'], extensions: { code: 'INTERNAL_SERVER_ERROR' } }]);
    expect(JSON.stringify(broken)).not.toMatch(/mongodb|ECONN/);
    expect((await stream.next()).value!.data).toEqual({ noteChanged: { author: { email: 'p1@example.org' } } });
    await stream.return();
  });

  test('runs queries and mutations on the socket too', async () => {
    const token = await gateway.tokenFor({ id: 'p2' });

    const query = await gateway.subscribe('{ note(id: "n1") { text author { name } } }').next();
    const mutation = await gateway.subscribe('mutation { writeNote(boardId: "b1", text: "t") { author { name } } }', {}, { token }).next();

    expect(query.value).toEqual({ data: { note: { text: 'one', author: { name: 'Ada' } } } });
    expect(mutation.value).toEqual({ data: { writeNote: { author: { name: 'Bo' } } } });
  });

  test.each([
    ['a variable that is missing', {}],
    ['a variable of the wrong type', { board: { id: 1 } }],
  ])('refuses %s, and says which', async (_case, variables) => {
    const { value } = await gateway.subscribe(NOTE_CHANGED, variables).next();

    expect(value).toMatchObject({ errors: [{ extensions: { code: 'BAD_USER_INPUT', path: ['board'] } }] });
  });
});

describe('a condition at the root of a subscription', () => {
  let gateway: TestGateway;
  beforeAll(async () => {
    gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all });
  });
  afterAll(() => gateway.close());

  const TICKS = 'ticks(to: 1)';
  const refused = {
    message: expect.stringMatching(/^The root of a subscription must be selected without conditions: leave @(skip|include) out\.$/),
    extensions: { code: 'GRAPHQL_VALIDATION_FAILED', retryable: false },
  };

  describe.each([
    ['@include by a variable', `subscription ($b: Boolean!) { ${TICKS} @include(if: $b) }`],
    ['@skip by a variable', `subscription ($b: Boolean!) { ${TICKS} @skip(if: $b) }`],
    ['a condition that is written out', `subscription { ${TICKS} @include(if: true) }`],
    ['a condition without its argument', `subscription { ${TICKS} @include }`],
    ['an inline fragment', `subscription ($b: Boolean!) { ... @include(if: $b) { ${TICKS} } }`],
    ['a field of a named fragment', `subscription ($b: Boolean!) { ...Root } fragment Root on Subscription { ${TICKS} @skip(if: $b) }`],
    [
      'a fragment within itself',
      `subscription ($b: Boolean!) { ...Root } fragment Root on Subscription { ...Root ${TICKS} @skip(if: $b) }`,
    ],
    ['one operation of two', `query A { viewer } subscription B($b: Boolean!) { ${TICKS} @skip(if: $b) }`],
  ])('at %s', (_case, query) => {
    test.each(['text/event-stream', 'multipart/mixed;subscriptionSpec=1.0', 'application/json'])(
      'is refused to who accepts %s',
      async (accept) => {
        for (const extensions of [undefined, {}]) {
          const body = { query, operationName: query.includes(' B(') ? 'B' : undefined, variables: { b: true }, extensions };
          expect(await gateway.post(body, { accept })).toMatchObject({ status: 400, errors: [refused] });
        }
        const inUrl = await fetch(`${gateway.url}?${new URLSearchParams({ query })}`, {
          headers: { accept, 'apollo-require-preflight': '1' },
        });
        expect(inUrl.status).toBe(400);
        expect(await inUrl.json()).toMatchObject({ errors: [refused] });
      },
    );

    test('is refused over WebSocket', async () => {
      await expect(
        gateway
          .socket()
          .iterate({ query, variables: { b: true } })
          .next(),
      ).rejects.toMatchObject([refused]);
    });
  });

  test('is allowed below the root, and in a fragment that only a query spreads', async () => {
    const query = `query A($b: Boolean!) { ...Root } fragment Root on Query { viewer @include(if: $b) } subscription B { ${TICKS} }`;

    expect(await gateway.post({ query, operationName: 'A', variables: { b: true } })).toMatchObject({ data: { viewer: 'null' } });
    expect(await gateway.socket().iterate({ query, operationName: 'B' }).next()).toMatchObject({ value: { data: { ticks: 1 } } });
  });
});

test('ends the streams of a lost subgraph with a retryable error, and keeps the socket', async () => {
  const subgraphs = testSubgraphs();
  const running = await serve(subgraphs.notes, { port: 0 });
  const notes = httpTransport('notes', running.url);
  const { people, boards } = subgraphs;
  const gateway = await openGatewayForTest({ subgraphs: subgraphs.all, transports: { people, boards, notes } });
  const client = gateway.socket();
  const stream = client.iterate<any>({ query: 'subscription { noteChanged(boardId: "b1") { text author { name } } }' });
  const first = stream.next();
  await subgraphs.listeners(1);
  subgraphs.changeNote('b1', { id: 'n1', text: 'before', authorId: 'p1' });
  expect((await first).value.data).toEqual({ noteChanged: { text: 'before', author: { name: 'Ada' } } });

  await running.close();

  expect((await stream.next()).value).toMatchObject({
    data: { noteChanged: null },
    errors: [{ path: ['noteChanged'], extensions: { code: 'SUBGRAPH_UNAVAILABLE', subgraph: 'notes', retryable: true } }],
  });
  expect((await stream.next()).done).toBe(true);
  expect((await client.iterate<any>({ query: '{ person(id: "p1") { name } }' }).next()).value.data).toEqual({ person: { name: 'Ada' } });
  await gateway.close();
  await notes.close();
});
