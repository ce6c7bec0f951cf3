import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { plainSubgraph } from '#shared/testing/plain-subgraph.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

const LINK = `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.9", import: ["@composeDirective", "@authenticated"])
  @link(url: "https://example.org/cacheControl/v1.0", import: ["@cacheControl"])
  @composeDirective(name: "@cacheControl")
directive @cacheControl(maxAge: Int, scope: cacheControl__Scope, inheritMaxAge: Boolean) on FIELD_DEFINITION | OBJECT
enum cacheControl__Scope { PUBLIC PRIVATE }
`;
const notes = plainSubgraph({
  name: 'notes',
  typeDefs: `${LINK}
    type Query { note: Note  own: Note @cacheControl(maxAge: 20)  now: String  broken: Note }
    type Mutation { write: Note }
    type Note @cacheControl(maxAge: 60, scope: PUBLIC) { text: String  locked: String @authenticated  author: Author }
    type Author @cacheControl(maxAge: 60) { name: String }
  `,
  resolvers: {
    Query: {
      note: () => ({ text: 'one', locked: 'l', author: { name: 'Ada' } }),
      own: () => ({ text: 'two' }),
      broken() {
        throw new Error('broken');
      },
    },
    Mutation: { write: () => ({ text: 'one' }) },
  },
});

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGatewayForTest({ subgraphs: [notes] });
});
afterAll(() => gateway.close());

const byGet = async (query: string) => {
  const response = await fetch(`${gateway.url}?query=${encodeURIComponent(query)}`, { headers: { 'apollo-require-preflight': 'yes' } });
  await response.json();
  return response.headers;
};

test.each([
  ['{ note { text } }', 'max-age=60, public'],
  ['{ note { text } own { text } }', 'max-age=20, public'],
  ['{ note { author { name } } }', 'max-age=60, private'],
  ['{ note { text } now }', 'no-store'],
  ['{ note { locked } }', 'no-store'],
  ['{ broken { text } }', 'no-store'],
])('sends the response to %s with %s, by POST and by GET', async (query, header) => {
  // The second time the text is known.
  for (let time = 0; time < 2; time += 1) expect((await gateway.ask(query)).headers.get('cache-control')).toBe(header);
  const headers = await byGet(query);
  expect(headers.get('cache-control')).toBe(header);
  expect(headers.get('vary')).toContain('authorization');
});

test('marks restricted data as private', async () => {
  const { headers, data } = await gateway.ask('{ note { locked } }', {}, { token: await gateway.tokenFor({ id: 'p1' }) });

  expect(data).toEqual({ note: { locked: 'l' } });
  expect(headers.get('cache-control')).toBe('max-age=60, private');
});

test.each([
  ['a mutation', { query: 'mutation { write { text } }' }],
  ['what is refused', { query: '{ nothing }' }],
])('never marks %s as cacheable', async (_case, body) => {
  expect((await gateway.post(body)).headers.get('cache-control')).toBe('no-store');
});
