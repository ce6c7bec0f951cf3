import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROUTER_SUPPORTED_SUPERGRAPH_FEATURES, Supergraph } from '@apollo/federation-internals';
import { expect, test } from '@jest/globals';
import { parse, validate } from 'graphql';
import { EXAMPLES, LINKS, SIGN_IN_FORM } from './playground.ts';

const ROOT = join(import.meta.dirname, '..');
const text = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const supportedFeatures = ROUTER_SUPPORTED_SUPERGRAPH_FEATURES;
const schema = Supergraph.build(text('schema/supergraph.graphql'), { supportedFeatures }).apiSchema().toGraphQLJSSchema();
const operations = [...EXAMPLES, ...LINKS, SIGN_IN_FORM.open, SIGN_IN_FORM.renew].map(({ query }) => query);

test.each(operations)('fits the schema: %s', (query) => {
  expect(validate(schema, parse(query))).toEqual([]);
});

test('every path that a mail links to has a page', () => {
  const templates = globSync('subgraphs/*/templates/*.hbs', { cwd: ROOT }).map(text).join('\n');
  const linked = [...templates.matchAll(/\{\{link '(\/[\w-]+)' token=/g)].map(([, path]) => path!);

  expect(LINKS.map(({ path }) => path).sort()).toEqual([...new Set(linked)].sort());
});
