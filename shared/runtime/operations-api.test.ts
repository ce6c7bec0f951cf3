import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { subgraph } from '../testing/fixture-subgraph/subgraph.ts';
import { open, viewer, type TestApp } from '../testing/open.ts';

let app: TestApp;
beforeAll(async () => {
  app = await open(subgraph, { viewer: viewer('usr_root', ['admin']) });
});
afterAll(() => app.close());

test.each([
  ['retryDeadLetter', 'RetryDeadLetterInput', {}],
  ['retrySaga', 'RetrySagaInput', {}],
  ['compensateSaga', 'CompensateSagaInput', { reason: 'asked for' }],
])('%s says which field names what is not there', async (mutation, type, rest) => {
  const { data } = await app.ask(`mutation ($input: ${type}!) { ${mutation}(input: $input) { userErrors { code path } } }`, {
    input: { subgraph: 'boards', id: 'none', ...rest },
  });

  expect(data[mutation].userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
});
