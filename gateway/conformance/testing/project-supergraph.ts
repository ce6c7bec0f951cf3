import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mockSubgraph } from './mock.ts';
import type { TestSupergraph } from './supergraph.ts';

const FOLDER = join(import.meta.dirname, '../../../schema/subgraphs');

const samples = {
  DateTime: ['2026-01-02T03:04:05Z', '2027-11-12T00:00:00Z'],
  Decimal: ['0.00', '12.50'],
  CurrencyCode: ['ZMW', 'USD'],
  PhoneNumber: ['+260971234567'],
  EmailAddress: ['someone@example.org'],
  URL: ['https://example.org/'],
  Cursor: ['abc'],
};

/** The project's own supergraph over data that follow from its schemas. */
export const soko: TestSupergraph = {
  name: 'soko',
  subgraphs: readdirSync(FOLDER).map((file) =>
    mockSubgraph(file.replace('.graphql', ''), readFileSync(join(FOLDER, file), 'utf8'), samples),
  ),
  samples,
};
