import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer, type Data } from '#shared/testing/open.ts';
import { codeOf, openVendors, stranger, type Vendors } from './fixtures.ts';

const ITEM = 'id key label description documentRequired isActive order version';
const CREATE = `mutation ($input: CreateVendorChecklistItemInput!) { createVendorChecklistItem(input: $input) { item { ${ITEM} } userErrors { code path } } }`;
const CHANGE = `mutation ($input: UpdateVendorChecklistItemInput!) { updateVendorChecklistItem(input: $input) {
  item { ${ITEM} } userErrors { code path ... on StaleVersionError { currentVersion } } } }`;
const LIST = `query ($all: Boolean) { vendorChecklist(includeInactive: $all) { ${ITEM} } }`;
const ENTRIES = 'query ($id: ID!) { vendorApplication(id: $id) { checklist { item { key } isSatisfied isConfirmed documents { id } } } }';

const ann = viewer('usr_ann');
let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const made = async (key: string, rest: object = {}): Promise<Data> => {
  const { item, userErrors } = await market.run(CREATE, { key, label: key, documentRequired: false, ...rest });
  expect(userErrors).toEqual([]);
  return item;
};
const retire = ({ id, version }: Data) => market.run(CHANGE, { id, expectedVersion: version, isActive: false });

describe('the checklist', () => {
  test('is kept by admins and read by applicants, retired items only by admins', async () => {
    const terms = await made('terms');
    const hygiene = await made('hygiene', { label: 'Hygiene', description: 'A certificate.' });
    const first = await made('first', { order: 0 });
    await retire(terms);

    const asked = await market.app.ask(LIST, {}, { as: ann });
    const all = await market.app.ask(LIST, { all: true });

    expect(hygiene).toMatchObject({
      documentRequired: false,
      isActive: true,
      order: terms.order + 1,
      version: 1,
      description: 'A certificate.',
    });
    expect(asked.data.vendorChecklist.map(({ key }: Data) => key)).toEqual(['first', 'hygiene']);
    expect(all.data.vendorChecklist.map(({ key }: Data) => key)).toEqual(['terms', 'first', 'hygiene']);
    expect(codeOf(await market.app.ask(LIST, { all: true }, { as: ann }))).toBe('FORBIDDEN');
    expect(codeOf(await market.app.ask(LIST, {}, { as: null }))).toBe('UNAUTHENTICATED');
    for (const item of [hygiene, first]) await retire(item);
  });

  test('has to be confirmed before an application is submitted; what was submitted keeps its items', async () => {
    const item = await made('house-rules');
    const { id, version } = await market.draft(ann, 'Rules Shop');

    const refused = await market.move('submit', { id }, ann);
    await market.run(
      'mutation ($input: UpdateVendorApplicationInput!) { updateVendorApplication(input: $input) { application { id } userErrors { code } } }',
      { id, expectedVersion: version, confirmedItems: ['house-rules'] },
      ann,
    );
    const accepted = await market.move('submit', { id }, ann);
    await retire(item);
    const later = await made('newer-rules');

    expect(refused.userErrors).toEqual([
      { code: 'APPLICATION_INCOMPLETE', path: ['input', 'id'], missingFields: [], missingItems: ['house-rules'] },
    ]);
    expect(accepted.application.status).toBe('SUBMITTED');
    const { data } = await market.app.ask(ENTRIES, { id }, { as: ann });
    expect(data.vendorApplication.checklist).toEqual([
      { item: { key: 'house-rules' }, isSatisfied: true, isConfirmed: true, documents: [] },
    ]);
    await retire(later);
  });

  test('that wants a document is not content with a confirmation', async () => {
    const item = await made('licence', { documentRequired: true });
    const bob = viewer('usr_bob');
    const { id } = await market.draft(bob, 'Licence Shop', { confirmedItems: ['licence'] });

    const { userErrors } = await market.move('submit', { id }, bob);

    expect(userErrors[0].missingItems).toEqual(['licence']);
    await retire(item);
  });
});

describe('createVendorChecklistItem', () => {
  test('asks for a document at once unless told otherwise', async () => {
    const { item } = await market.run(CREATE, { key: 'passport', label: 'Passport' });

    expect(item).toMatchObject({ documentRequired: true, isActive: true });
    await retire(item);
  });

  test.each([
    ['a key with capitals', { key: 'A', label: 'a' }, ['input', 'key']],
    ['an empty label', { key: 'a', label: '' }, ['input', 'label']],
    ['a label of 10,000 characters', { key: 'a', label: 'x'.repeat(10_000) }, ['input', 'label']],
    ['a negative order', { key: 'a', label: 'a', order: -1 }, ['input', 'order']],
    ['a NUL', { key: 'a', label: 'a\u0000' }, ['input', 'label']],
  ])('refuses %s', async (_case, input, path) => {
    expect((await market.run(CREATE, input)).userErrors).toEqual([{ code: 'INVALID', path }]);
  });

  test('refuses a key that is there', async () => {
    await retire(await made('once-only'));

    expect((await market.run(CREATE, { key: 'once-only', label: 'x' })).userErrors).toEqual([
      { code: 'CHECKLIST_KEY_TAKEN', path: ['input', 'key'] },
    ]);
  });

  test('refuses the 101st item', async () => {
    const { models } = market.app.context() as Data;
    const there = await models.ChecklistItem.countDocuments();
    const rows = Array.from({ length: 100 - there }, (_, index) => ({
      key: `filler-${index}`,
      label: 'x',
      documentRequired: true,
      isActive: false,
      order: 900 + index,
    }));
    await models.ChecklistItem.create(rows);

    expect((await market.run(CREATE, { key: 'too-many', label: 'x' })).userErrors).toEqual([{ code: 'CHECKLIST_LIMIT', path: ['input'] }]);
    await models.ChecklistItem.deleteMany({ order: { $gte: 900 } });
  });

  test('is for admins', async () => {
    await expect(market.run(CREATE, { key: 'x', label: 'x' }, stranger)).rejects.toThrow('FORBIDDEN');
  });
});

describe('updateVendorChecklistItem', () => {
  test('changes what is given, for the one who saw the latest version', async () => {
    const item = await made('tpin', { label: 'TPIN', description: 'Ten digits.' });

    const answers = await Promise.all(
      [1, 2, 3].map(() => market.run(CHANGE, { id: item.id, expectedVersion: 1, label: 'Tax number', isActive: false })),
    );

    expect(answers.filter(({ item: changed }) => changed).map(({ item: changed }) => changed)).toEqual([
      { ...item, label: 'Tax number', isActive: false, version: 2 },
    ]);
    expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual(
      Array(2).fill({ code: 'STALE_VERSION', path: ['input', 'expectedVersion'], currentVersion: 2 }),
    );
  });

  test('refuses what it does not know, bad values, and everyone but admins', async () => {
    expect((await market.run(CHANGE, { id: 'vcl_nowhere', expectedVersion: 1 })).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'id'] },
    ]);
    expect((await market.run(CHANGE, { id: 'vcl_nowhere', expectedVersion: 1, label: '' })).userErrors).toEqual([
      { code: 'INVALID', path: ['input', 'label'] },
    ]);
    await expect(market.run(CHANGE, { id: 'vcl_nowhere', expectedVersion: 1 }, stranger)).rejects.toThrow('FORBIDDEN');
  });
});
