import type { Viewer } from '#shared/base/identity.ts';
import type { Door } from './door.ts';

const ITEMS = [
  { key: 'trade-licence', label: 'Trade licence', description: 'Of the council where the store is.', documentRequired: true },
  { key: 'tax-certificate', label: 'Tax clearance certificate', description: 'Of this year.', documentRequired: true },
  { key: 'terms', label: 'Terms of the market', description: 'Read and accepted.', documentRequired: false },
];

/** What later applicants hand in and confirm. The stores of the demo were approved before. */
export async function loadChecklist(door: Door, admin: Viewer): Promise<void> {
  for (const item of ITEMS) await door.run('vendors', admin, 'createVendorChecklistItem', item, 'item { id }');
}
