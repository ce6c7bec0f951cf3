import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';
import { protectedFixture, type ProtectedFixture } from './test-world.ts';

let fixture: ProtectedFixture;
let gateway: TestGateway;
beforeAll(async () => {
  fixture = protectedFixture();
  gateway = await openGatewayForTest({ subgraphs: fixture.subgraphs });
});
afterAll(() => gateway.close());

const editor = { id: 'p2', roles: ['editor'], scopes: ['pay:read'] };
const askedOf = async (name: string, work: () => Promise<unknown>): Promise<string[]> => {
  const { asked } = fixture.subgraphs.find((subgraph) => subgraph.name === name)!;
  const before = asked.length;
  await work();
  return asked.slice(before).map(({ query }) => query);
};

describe.each(['HTTP', 'WebSocket'])('over %s', (way) => {
  const ask = async (query: string, variables: Record<string, unknown> = {}, viewer?: Partial<Viewer> & { id: string }) => {
    const token = viewer && (await gateway.tokenFor(viewer));
    if (way === 'HTTP') return gateway.ask(query, variables, { token });
    const { value } = await gateway.subscribe(query, variables, { token }).next();
    return value as unknown as Awaited<ReturnType<TestGateway['ask']>>;
  };

  test('returns null and UNAUTHENTICATED to an anonymous viewer, and fetches nothing', async () => {
    let response: Awaited<ReturnType<typeof ask>> | undefined;
    const asked = await askedOf('people', async () => {
      response = await ask('{ person(id: "p1") { name post: email } who: me { name } }');
    });

    expect(response?.data).toEqual({ person: { name: 'Ada', post: null }, who: null });
    expect(response?.errors).toEqual([
      {
        message: 'Sign in to do this.',
        path: ['person', 'post'],
        extensions: { code: 'UNAUTHENTICATED', retryable: false, correlationId: expect.any(String) },
      },
      expect.objectContaining({ path: ['who'], extensions: expect.objectContaining({ code: 'UNAUTHENTICATED' }) }),
    ]);
    expect(asked.join()).not.toMatch(/\bme\b|email/);
  });

  test('returns the field to a signed-in viewer', async () => {
    const { data, errors } = await ask('{ person(id: "p1") { name post: email } who: me { name } }', {}, { id: 'p1' });

    expect({ data, errors }).toEqual({
      data: { person: { name: 'Ada', post: 'p1@example.org' }, who: { name: 'Ada' } },
      errors: undefined,
    });
  });

  test('returns FORBIDDEN without the scope or policy; one of several scope sets is enough', async () => {
    const query = '{ person(id: "p1") { level notes { id text } pay } level }';

    const without = await ask(query, {}, { id: 'p1' });
    const reads = await ask(query, {}, editor);
    const half = await ask('{ person(id: "p1") { pay } }', {}, { ...editor, scopes: ['pay:admin'] });
    const both = await ask('{ person(id: "p1") { pay } }', {}, { ...editor, scopes: ['pay:write', 'pay:admin'] });

    expect(without.errors?.map(({ path, extensions }) => [path?.join('.'), extensions.code])).toEqual([
      ['person.level', 'FORBIDDEN'],
      ['person.pay', 'FORBIDDEN'],
      ['level', 'FORBIDDEN'],
    ]);
    expect(without.data).toEqual({ person: null, level: null }); // pay may not be null, so its person is
    expect(reads).toMatchObject({ data: { person: { level: 'HIGH', pay: 5, notes: [{ id: 'n1' }, { id: 'n2' }] }, level: 'LOW' } });
    expect(half.data).toEqual({ person: null });
    expect(both.data).toEqual({ person: { pay: 5 } });
  });

  test('filters protected types everywhere: in unions, behind interfaces, in nested fragments', async () => {
    const { data, errors } = await ask(`{ things { __typename ...A } named { code } vault { gold } }
      fragment A on Thing { ... on Vault { hidden: gold keeper { name } } ...B }
      fragment B on Thing { ... on Box { inside { ... on Vault { gold } ... on Person { name } } } }`);

    expect(data).toEqual({
      things: [
        { __typename: 'Person' },
        { __typename: 'Vault', hidden: null, keeper: null },
        { __typename: 'Box', inside: [{ gold: null }, { name: 'Ada' }, null] },
      ],
      named: [null, null, null],
      vault: null,
    });
    expect(errors?.map(({ path }) => path?.join('.')).toSorted()).toEqual([
      'named.code',
      'things.hidden',
      'things.inside.gold',
      'things.keeper',
      'vault',
    ]);
  });

  test('reports no error for fields that @skip or @include exclude', async () => {
    const query = `query($with: Boolean = false, $id: ID!) { notes { id draft @include(if: $with) } ... @skip(if: true) { me { name } }
      person(id: $id) @include(if: $with) { id } }`;

    const without = await ask(query, { id: 'p1' });
    const withIt = await ask(query, { id: 'p1', with: true });

    expect({ data: without.data, errors: without.errors }).toEqual({ data: { notes: [{ id: 'n1' }, { id: 'n2' }] }, errors: undefined });
    expect(withIt.data).toEqual({ notes: null, person: { id: 'p1' } });
    expect(withIt.errors).toMatchObject([{ path: ['notes', 'draft'], extensions: { code: 'UNAUTHENTICATED' } }]);
  });

  test('runs a mutation as written or not at all', async () => {
    const both = 'mutation { rename(id: "p1", name: "x") { id } dismiss(id: "p2") { id } }';
    let refused: Awaited<ReturnType<typeof ask>> | undefined;

    const asked = await askedOf('people', async () => {
      refused = await ask(both, {}, { id: 'p1' });
    });

    expect(refused?.data).toBeNull();
    expect(refused?.errors).toMatchObject([{ path: ['dismiss'], extensions: { code: 'FORBIDDEN' } }]);
    expect(asked).toEqual([]);
    expect((await ask(both, {}, editor)).data).toEqual({ rename: { id: 'p1' }, dismiss: { id: 'p2' } });
  });

  test('runs an allowed mutation even if fields of its response are filtered', async () => {
    let response: Awaited<ReturnType<typeof ask>> | undefined;
    const asked = await askedOf('notes', async () => {
      response = await ask('mutation { writeNote(text: "x") { draft } }');
    });

    expect(asked).toHaveLength(1);
    expect(response?.data).toEqual({ writeNote: null });
    expect(response?.errors).toMatchObject([{ path: ['writeNote', 'draft'] }]);
  });
});

describe('a subscription', () => {
  test('does not start when its root field is forbidden', async () => {
    const asked = await askedOf('notes', async () => {
      const { value } = await gateway.subscribe('subscription { audit { id } }').next();
      expect(value).toMatchObject({ data: null, errors: [{ path: ['audit'], extensions: { code: 'UNAUTHENTICATED' } }] });
    });

    expect(asked).toEqual([]);
  });

  test('reports filtered fields in every event', async () => {
    const stream = gateway.subscribe('subscription { noteChanged { text author { email boss { name email } } } }');
    const first = stream.next();
    // The plain subgraph listens as soon as it gets the request.
    const { asked } = fixture.subgraphs[1]!;
    while (!asked.at(-1)?.query.startsWith('subscription')) await new Promise((resolve) => setImmediate(resolve));

    fixture.changeNote('n2');
    const one = (await first).value;
    fixture.changeNote('n1');
    const two = (await stream.next()).value;

    expect([one?.data, two?.data]).toEqual([
      { noteChanged: { text: 'two', author: { email: null, boss: { name: 'Ada', email: null } } } },
      { noteChanged: { text: 'one', author: { email: null, boss: null } } },
    ]);
    for (const event of [one, two]) {
      expect(event?.errors?.map(({ path }) => path?.join('.'))).toEqual(['noteChanged.author.email', 'noteChanged.author.boss.email']);
    }
    await stream.return();
  });
});

test('nulls filtered fields in deferred parts too', async () => {
  const response = await fetch(gateway.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'multipart/mixed; deferSpec=20220824' },
    body: JSON.stringify({ query: '{ person(id: "p2") { name email ... @defer(label: "L") { notes { id } boss { email name } } } }' }),
  });
  const parts = [...(await response.text()).matchAll(/\{.*\}/g)].map(([text]) => JSON.parse(text) as Record<string, unknown>);

  expect(parts[0]).toMatchObject({ data: { person: { name: 'Bo', email: null } }, hasNext: true });
  expect((parts[0]!['errors'] as { path: string[] }[]).map(({ path }) => path.join('.'))).toEqual(['person.email', 'person.boss.email']);
  expect(parts.slice(1).flatMap(({ incremental = [] }) => incremental)).toMatchObject([
    { data: { notes: [], boss: { email: null, name: 'Ada' } }, path: ['person'], label: 'L' },
  ]);
});

test('leaves the response of a viewer with all rights unchanged', async () => {
  const { data } = await gateway.ask(
    '{ things { ... on Vault { gold } } }',
    {},
    { token: await gateway.tokenFor({ id: 'p1', scopes: ['vault'] }) },
  );

  expect(JSON.stringify(data)).toBe('{"things":[{},{"gold":9},{}]}');
});
