import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest, type TestGateway } from '../testing/open-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all, production: true });
});
afterAll(() => gateway.close());

const QUESTIONS = [
  '{ __schema { queryType { name } } }',
  '{ __type(name: "Note") { name } }',
  '{ a: viewer s: __schema { queryType { name } } }',
  '{ ...F } fragment F on Query { ... on Query { __type(name: "Note") { name } } }',
  'query A { viewer } query B { __schema { queryType { name } } }',
];

describe('in production', () => {
  test.each(QUESTIONS)('an anonymous caller is not shown the schema: %s', async (query) => {
    const overHttp = await gateway.post({ query, operationName: query.includes('query B') ? 'B' : undefined });

    expect(overHttp).toMatchObject({ status: 400, errors: [{ extensions: { code: 'INTROSPECTION_DISABLED' } }] });
    expect(overHttp.data).toBeUndefined();
    if (query.includes('query B')) return;
    await expect(gateway.subscribe(query).next()).rejects.toMatchObject([{ extensions: { code: 'INTROSPECTION_DISABLED' } }]);
  });

  test('shows the schema to a signed-in viewer', async () => {
    const token = await gateway.tokenFor({ id: 'p1' });

    expect((await gateway.ask(QUESTIONS[0]!, {}, { token })).data).toEqual({ __schema: { queryType: { name: 'Query' } } });
    expect((await gateway.subscribe(QUESTIONS[0]!, {}, { token }).next()).value?.data).toEqual({
      __schema: { queryType: { name: 'Query' } },
    });
  });

  test('__typename is no secret', async () => {
    expect((await gateway.ask('{ __typename }')).data).toEqual({ __typename: 'Query' });
  });

  test('suggests no names after a mistake', async () => {
    const { errors } = await gateway.ask('{ viewr }');

    expect(errors?.[0]?.message).toBe('Cannot query field "viewr" on type "Query".');
    await expect(gateway.subscribe('{ viewr }').next()).rejects.toMatchObject([{ message: 'Cannot query field "viewr" on type "Query".' }]);
  });
});
