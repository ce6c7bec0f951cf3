import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer, type Data } from '#shared/testing/open.ts';
import { APPLY, codeOf, COMPLETE, newcomer, openVendors, stranger, type Vendors } from './fixtures.ts';

const GET = `query ($id: ID!) { vendorApplication(id: $id) { id status storeName contactEmail contactPhone availableActions nextStatuses version
  checklist { item { key } isSatisfied isConfirmed } timeline { status reason actorRole actor { id } } vendor { id } } }`;
const CHANGE = `mutation ($input: UpdateVendorApplicationInput!) { updateVendorApplication(input: $input) {
  application { id version storeName currency timeZone }
  userErrors { code path ... on StaleVersionError { currentVersion } ... on ApplicationStatusError { status } } } }`;

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const get = async (id: string, as = viewer('usr_admin', ['admin'])): Promise<Data> =>
  (await market.app.ask(GET, { id }, { as })).data.vendorApplication;

describe('applyAsVendor', () => {
  test('begins a draft that only its applicant and admins see', async () => {
    const ann = newcomer();

    const application = await market.draft(ann, 'Chisomo Crafts');

    expect(application).toMatchObject({ status: 'DRAFT', version: 1, storeName: 'Chisomo Crafts', applicant: { id: ann.id } });
    expect(await get(application.id, ann)).toMatchObject({
      contactEmail: 'mwila@example.com',
      contactPhone: '+260971234567',
      availableActions: ['UPDATE', 'SUBMIT', 'WITHDRAW'],
      nextStatuses: ['SUBMITTED', 'WITHDRAWN'],
      timeline: [{ status: 'DRAFT', reason: null, actorRole: 'APPLICANT', actor: { id: ann.id } }],
    });
    expect(await get(application.id)).toMatchObject({ id: application.id, availableActions: [] });
    expect(await get(application.id, stranger)).toBeNull();
    const { data } = await market.app.ask('{ myVendorApplication { id status } }', {}, { as: ann });
    expect(data.myVendorApplication).toEqual({ id: application.id, status: 'DRAFT' });
  });

  test.each([
    ['an empty name', { storeName: '  ' }, ['input', 'storeName']],
    ['a name without letter or digit', { storeName: '!?!' }, ['input', 'storeName']],
    ['the name of the operator', { storeName: 'Soko Security' }, ['input', 'storeName']],
    ['a web address for a name', { storeName: 'Win at evil.com' }, ['input', 'storeName']],
    ['a name of 10,000 characters', { storeName: 'x'.repeat(10_000) }, ['input', 'storeName']],
    ['a NUL', { storeName: 'Tea\u0000' }, ['input', 'storeName']],
    ['a lone surrogate', { storeName: 'Tea\uD800' }, ['input', 'storeName']],
    ['a direction mark', { storeName: 'Tea\u202Epohs' }, ['input', 'storeName']],
    ['a slug with capitals', { slug: 'Tea' }, ['input', 'slug']],
    ['an e-mail that is none', { contactEmail: 'nobody' }, ['input', 'contactEmail']],
    ['a phone number without country', { contactPhone: '0971234567' }, ['input', 'contactPhone']],
    ['a currency that is none', { currency: 'ZZZ' }, ['input', 'currency']],
    ['a time zone that is none', { timeZone: 'Mars/Olympus' }, ['input', 'timeZone']],
    ['an offset as time zone', { timeZone: '+02:00' }, ['input', 'timeZone']],
    ['a country that is none', { address: { ...COMPLETE.address, country: 'QQ' } }, ['input', 'address', 'country']],
    ['a country in small letters', { address: { ...COMPLETE.address, country: 'zm' } }, ['input', 'address', 'country']],
    [
      'a place beyond the poles',
      { address: { ...COMPLETE.address, location: { longitude: 0, latitude: 91 } } },
      ['input', 'address', 'location', 'latitude'],
    ],
    ['251 confirmed items', { confirmedItems: Array.from({ length: 251 }, (_, index) => `item-${index}`) }, ['input', 'confirmedItems']],
    ['a short idempotency key', { idempotencyKey: 'x' }, ['input', 'idempotencyKey']],
  ])('refuses %s', async (_case, input, path) => {
    const answer = await market.run(APPLY, { storeName: 'Tea', ...input }, newcomer());

    expect(answer).toEqual({ application: null, userErrors: [{ code: 'INVALID', path }] });
  });

  test('refuses an object where a text belongs', async () => {
    expect(codeOf(await market.app.ask(APPLY, { input: { storeName: { $ne: null } } }, { as: stranger }))).toBe('BAD_USER_INPUT');
  });

  test('is closed to nobody in particular', async () => {
    expect(codeOf(await market.app.ask(APPLY, { input: { storeName: 'Tea' } }, { as: null }))).toBe('UNAUTHENTICATED');
  });

  test('refuses a second one while the first is under way, also at the same moment', async () => {
    const ann = newcomer();

    const answers = await Promise.all(Array.from({ length: 8 }, (_, index) => market.run(APPLY, { storeName: `Twice ${index}` }, ann)));

    expect(answers.filter(({ application }) => application)).toHaveLength(1);
    for (const { userErrors } of answers.filter(({ application }) => !application))
      expect(userErrors).toEqual([{ code: 'APPLICATION_OPEN', path: ['input'] }]);
  });

  test('answers the same application for the same key', async () => {
    const ann = newcomer();
    const input = { storeName: 'Keyed', idempotencyKey: 'keyed-key-1' };

    const first = await market.run(APPLY, input, ann);
    const second = await market.run(APPLY, input, ann);
    const other = await market.run(APPLY, { ...input, storeName: 'Other' }, ann);

    expect(second.application).toEqual(first.application);
    expect(other.userErrors).toEqual([{ code: 'IDEMPOTENCY_KEY_REUSED', path: ['input', 'idempotencyKey'] }]);
  });

  test('refuses the name and the slug of a store that exists', async () => {
    await market.store(newcomer(), 'Google', { slug: 'google' });

    expect((await market.run(APPLY, { storeName: 'G00G1E' }, newcomer())).userErrors).toEqual([
      { code: 'NAME_TAKEN', path: ['input', 'storeName'] },
    ]);
    expect((await market.run(APPLY, { storeName: 'Other', slug: 'google' }, newcomer())).userErrors).toEqual([
      { code: 'SLUG_TAKEN', path: ['input', 'slug'] },
    ]);
  });
});

describe('updateVendorApplication', () => {
  test('changes what is given and keeps the rest', async () => {
    const ann = newcomer();
    const { id, version } = await market.draft(ann, 'Before');

    const { application } = await market.run(CHANGE, { id, expectedVersion: version, storeName: 'After', currency: null }, ann);

    expect(application).toEqual({ id, version: version + 1, storeName: 'After', currency: null, timeZone: 'Africa/Lusaka' });
  });

  test('refuses all but one of many who read the same version', async () => {
    const ann = newcomer();
    const { id, version } = await market.draft(ann, 'Busy');

    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map((each) => market.run(CHANGE, { id, expectedVersion: version, storeName: `Busy ${each}` }, ann)),
    );

    expect(answers.filter(({ application }) => application)).toHaveLength(1);
    const refusals = answers.flatMap(({ userErrors }) => userErrors);
    expect(refusals).toEqual(Array(4).fill({ code: 'STALE_VERSION', path: ['input', 'expectedVersion'], currentVersion: version + 1 }));
  });

  test.each([
    ['an unknown id', () => 'vap_nowhere'],
    ['an id of 10,000 characters', () => 'v'.repeat(10_000)],
    ['an id with NUL', () => 'vap_\u0000'],
  ])('does not know %s', async (_case, id) => {
    expect((await market.run(CHANGE, { id: id(), expectedVersion: 1 }, newcomer())).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'id'] },
    ]);
  });

  test('does not know the application of somebody else, not even for an admin', async () => {
    const { id } = await market.draft(newcomer(), 'Private');

    expect((await market.run(CHANGE, { id, expectedVersion: 1, storeName: 'Mine' }, stranger)).userErrors[0].code).toBe('NOT_FOUND');
    expect((await market.run(CHANGE, { id, expectedVersion: 1, storeName: 'Mine' })).userErrors[0].code).toBe('NOT_FOUND');
  });

  test('refuses a name that a store has meanwhile, and bad values', async () => {
    const ann = newcomer();
    const { id } = await market.draft(ann, 'Mango Tree');
    await market.store(newcomer(), 'Papaya Tree', { slug: 'papaya' });

    expect((await market.run(CHANGE, { id, expectedVersion: 1, storeName: 'PAPAYA  TREE' }, ann)).userErrors).toEqual([
      { code: 'NAME_TAKEN', path: ['input', 'storeName'] },
    ]);
    expect((await market.run(CHANGE, { id, expectedVersion: 1, slug: 'papaya' }, ann)).userErrors).toEqual([
      { code: 'SLUG_TAKEN', path: ['input', 'slug'] },
    ]);
    expect((await market.run(CHANGE, { id, expectedVersion: 1, storeName: null }, ann)).userErrors).toEqual([
      { code: 'INVALID', path: ['input', 'storeName'] },
    ]);
  });

  test('refuses what was submitted', async () => {
    const ann = newcomer();
    const { id } = await market.draft(ann, 'Handed in');
    await market.move('submit', { id }, ann);

    const { userErrors } = await market.run(CHANGE, { id, expectedVersion: 2, storeName: 'Too late' }, ann);

    expect(userErrors).toEqual([{ code: 'APPLICATION_STATUS', path: ['input', 'id'], status: 'SUBMITTED' }]);
  });
});

describe('submitVendorApplication', () => {
  test('names every field that is missing', async () => {
    const ann = newcomer();
    const { application } = await market.run(APPLY, { storeName: 'Bare' }, ann);

    const { userErrors } = await market.move('submit', { id: application.id }, ann);

    expect(userErrors).toEqual([
      {
        code: 'APPLICATION_INCOMPLETE',
        path: ['input', 'id'],
        missingFields: ['contactEmail', 'contactPhone', 'address', 'currency', 'timeZone'],
        missingItems: [],
      },
    ]);
  });

  test('says in its message what is missing, and then where the application stands', async () => {
    const ann = newcomer();
    const { application } = await market.run(APPLY, { storeName: 'Wordy' }, ann);
    const verb = (name: string, type: string) =>
      market.run(`mutation ($input: ${type}!) { ${name}(input: $input) { userErrors { message } } }`, { id: application.id }, ann);

    const incomplete = await verb('submitVendorApplication', 'SubmitVendorApplicationInput');
    await verb('withdrawVendorApplication', 'WithdrawVendorApplicationInput');
    const over = await verb('submitVendorApplication', 'SubmitVendorApplicationInput');

    expect(incomplete.userErrors).toEqual([{ message: 'Still missing: contactEmail, contactPhone, address, currency, timeZone.' }]);
    expect(over.userErrors).toEqual([{ message: 'This cannot be done: the application is WITHDRAWN. Nothing more can be done with it.' }]);
  });

  test('hands it in, once', async () => {
    const ann = newcomer();
    const { id } = await market.draft(ann, 'Ready');

    const answers = await Promise.all([1, 2, 3].map(() => market.move('submit', { id }, ann)));

    expect(answers.filter(({ application }) => application?.status === 'SUBMITTED')).toHaveLength(1);
    expect((await get(id)).timeline.map(({ status }: Data) => status)).toEqual(['DRAFT', 'SUBMITTED']);
    expect((await market.app.said('VendorApplication.Moved')).filter(({ data }) => data.applicationId === id)).toHaveLength(1);
  });

  test('does not know the application of somebody else', async () => {
    const { id } = await market.draft(newcomer(), 'Not yours');

    expect((await market.move('submit', { id }, stranger)).userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
  });
});

describe('withdrawVendorApplication', () => {
  test('ends it with the reason, and makes room for the next', async () => {
    const ann = newcomer();
    const { id } = await market.draft(ann, 'Changed my mind');

    const { application } = await market.move('withdraw', { id, reason: 'I moved to Ndola.' }, ann);

    expect(application).toMatchObject({ status: 'WITHDRAWN', availableActions: [], nextStatuses: [] });
    expect((await get(id)).timeline.at(-1)).toMatchObject({ status: 'WITHDRAWN', reason: 'I moved to Ndola.', actor: { id: ann.id } });
    await market.draft(ann, 'Second try');
  });

  test('refuses a final one, somebody else, and 10,000 characters', async () => {
    const ann = newcomer();
    const { id } = await market.draft(ann, 'Gone');
    expect((await market.move('withdraw', { id }, stranger)).userErrors[0].code).toBe('NOT_FOUND');
    expect((await market.move('withdraw', { id, reason: 'x'.repeat(10_000) }, ann)).userErrors).toEqual([
      { code: 'INVALID', path: ['input', 'reason'] },
    ]);
    await market.move('withdraw', { id }, ann);

    expect((await market.move('withdraw', { id }, ann)).userErrors).toEqual([
      { code: 'APPLICATION_STATUS', path: ['input', 'id'], status: 'WITHDRAWN', nextStatuses: [] },
    ]);
  });
});
