import { basename } from 'node:path';
import { composeProject } from '../../../schema/compose.ts';
import { mockSubgraph } from './mock.ts';
import type { TestSupergraph } from './supergraph.ts';

const { schemas } = await composeProject();

const samples = {
  DateTime: ['2026-01-02T03:04:05Z', '2027-11-12T00:00:00Z'],
  Decimal: ['0.00', '12.50'],
  CurrencyCode: ['ZMW', 'USD'],
  PhoneNumber: ['+260971234567'],
  EmailAddress: ['someone@example.org'],
  URL: ['https://example.org/'],
  Cursor: ['abc'],
};

/** The project's own supergraph over data generated from its schemas. */
export const soko: TestSupergraph = {
  name: 'soko',
  subgraphs: [...schemas].map(([file, typeDefs]) => mockSubgraph(basename(file, '.graphql'), typeDefs, samples)),
  samples,
};
