import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { findMemberships, findVendors } from './contract.ts';
import { admin, APPLY, codeOf, newcomer, openVendors, stranger, type Vendors } from './fixtures.ts';

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const LOOK = `query ($id: ID!) { vendorApplication(id: $id) {
  status reviewComment vendor { id } checklist { item { key } isSatisfied } timeline { status reason actorRole actor { id } } } }`;
const look = async (id: string, as = admin): Promise<Data> => (await market.app.ask(LOOK, { id }, { as })).data.vendorApplication;

async function submitted(name: string, rest: object = {}) {
  const applicant = newcomer();
  const { id } = await market.draft(applicant, name, rest);
  await market.move('submit', { id }, applicant);
  return { id, applicant };
}

async function inReview(name: string, rest: object = {}) {
  const made = await submitted(name, rest);
  await market.move('startReview', { id: made.id });
  return made;
}

describe('the review', () => {
  test('goes from submitted to approved, back to the applicant in between, and keeps who did what and why', async () => {
    const { id, applicant } = await submitted('Kabwata Crafts');

    const started = await market.move('startReview', { id });
    const back = await market.move('requestChanges', { id, comment: 'Where is it?\nWhich street?' });
    const mine = await market.app.ask('{ myVendorApplication { availableActions reviewComment } }', {}, { as: applicant });
    const again = await market.move('submit', { id }, applicant);
    await market.move('startReview', { id });
    const approved = await market.move('approve', { id, comment: 'Welcome.' });

    expect(started.application).toMatchObject({ status: 'IN_REVIEW', availableActions: ['REQUEST_CHANGES', 'APPROVE', 'REJECT'] });
    expect(back.application).toMatchObject({ status: 'CHANGES_REQUESTED', reviewComment: 'Where is it?\nWhich street?' });
    expect(mine.data.myVendorApplication).toEqual({
      availableActions: ['UPDATE', 'SUBMIT', 'WITHDRAW'],
      reviewComment: 'Where is it?\nWhich street?',
    });
    expect(again.application).toMatchObject({ status: 'SUBMITTED', reviewComment: null });
    expect(approved.application).toMatchObject({ status: 'APPROVED', nextStatuses: [], availableActions: [] });
    const { timeline, vendor } = await look(id, applicant);
    expect(vendor).toEqual({ id: approved.vendor.id });
    expect(timeline.map(({ status, reason, actorRole, actor }: Data) => [status, reason, actorRole, actor.id])).toEqual([
      ['DRAFT', null, 'APPLICANT', applicant.id],
      ['SUBMITTED', null, 'APPLICANT', applicant.id],
      ['IN_REVIEW', null, 'ADMIN', 'usr_admin'],
      ['CHANGES_REQUESTED', 'Where is it?\nWhich street?', 'ADMIN', 'usr_admin'],
      ['SUBMITTED', null, 'APPLICANT', applicant.id],
      ['IN_REVIEW', null, 'ADMIN', 'usr_admin'],
      ['APPROVED', 'Welcome.', 'ADMIN', 'usr_admin'],
    ]);
  });

  test('of many who approve at once opens one store, with the applicant as its owner, and says so once', async () => {
    const { id, applicant } = await inReview('Soweto Market Stall');

    const answers = await Promise.all([1, 2, 3, 4, 5, 6].map(() => market.move('approve', { id })));

    const opened = answers.filter(({ vendor }) => vendor);
    expect(opened).toHaveLength(1);
    const { vendor } = opened[0];
    expect(vendor).toEqual({ id: vendor.id, name: 'Soweto Market Stall', slug: 'soweto-market-stall', currency: 'ZMW', state: 'ACTIVE' });
    const said = (await market.app.said('Vendor.Approved')).filter(({ data }) => data.vendorId === vendor.id);
    expect(said.map(({ data }) => data)).toEqual([
      { vendorId: vendor.id, storeName: 'Soweto Market Stall', ownerId: applicant.id, timestamp: expect.any(String) },
    ]);
    expect(await market.app.call(findMemberships, { userId: applicant.id })).toEqual({
      memberships: [
        {
          vendorId: vendor.id,
          role: 'OWNER',
          permissions: ['STORE', 'MEMBERS', 'PRODUCTS', 'STOCK', 'ORDERS', 'MONEY'],
          state: 'ACTIVE',
        },
      ],
    });
    expect(await market.app.call(findVendors, { ids: [vendor.id, 'ven_nowhere'] })).toEqual({
      vendors: [{ id: vendor.id, name: 'Soweto Market Stall', slug: 'soweto-market-stall', state: 'ACTIVE', currency: 'ZMW' }],
    });
  });

  test('may set currency and slug with the approval', async () => {
    const { id } = await inReview('Sakura Trading');

    const { vendor } = await market.move('approve', { id, currency: 'JPY', slug: 'sakura-tokyo' });

    expect(vendor).toMatchObject({ currency: 'JPY', slug: 'sakura-tokyo' });
  });

  test('finds a free slug for a name whose slug is taken, and for one of other letters', async () => {
    const first = await inReview('Pemba Fish');
    const second = await inReview('Pemba: Fish & More', { slug: null });
    const third = await inReview('さくら商店');
    await market.move('approve', { id: first.id, slug: 'pemba-fish-more' });

    const taken = await market.move('approve', { id: second.id });
    const japanese = await market.move('approve', { id: third.id });

    expect(taken.vendor.slug).toBe('pemba-fish-more-2');
    expect(japanese.vendor.slug).toMatch(/^store-[a-z0-9]{8}$/);
  });

  test('refuses a name that another store took meanwhile, and opens nothing', async () => {
    const early = await inReview('Copperbelt Tools');
    const late = await inReview('Cоpperbelt  TOOLS');
    await market.move('approve', { id: early.id });

    const { application, vendor, userErrors } = await market.move('approve', { id: late.id });

    expect([application, vendor]).toEqual([null, null]);
    expect(userErrors).toEqual([{ code: 'NAME_TAKEN', path: ['input', 'id'] }]);
    expect(await look(late.id)).toMatchObject({ status: 'IN_REVIEW', vendor: null });
    expect(await market.app.call(findMemberships, { userId: late.applicant.id })).toEqual({ memberships: [] });
  });

  test('of two names that look the same, approved at once, lets one in', async () => {
    const names = ['Zambezi Boats', 'ZAMBEZI boats', 'Zambezi-Boats', 'Zаmbezi Boats'];
    const all = [];
    for (const name of names) all.push(await inReview(name));

    const answers = await Promise.all(all.map(({ id }, index) => market.move('approve', { id, slug: `boats-${index}` })));

    expect(answers.filter(({ vendor }) => vendor)).toHaveLength(1);
    expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual(Array(3).fill({ code: 'NAME_TAKEN', path: ['input', 'id'] }));
  });

  test('refuses a slug that is taken', async () => {
    const first = await inReview('Maramba One');
    const second = await inReview('Maramba Two');
    await market.move('approve', { id: first.id, slug: 'maramba' });

    expect((await market.move('approve', { id: second.id, slug: 'maramba' })).userErrors).toEqual([
      { code: 'SLUG_TAKEN', path: ['input', 'slug'] },
    ]);
  });

  test('ends with a reason when rejected, and the applicant may try again', async () => {
    const { id, applicant } = await inReview('Fake Phones');

    const { application } = await market.move('reject', { id, reason: 'These are copies.' });

    expect(application).toMatchObject({ status: 'REJECTED', reviewComment: 'These are copies.', nextStatuses: [] });
    await market.draft(applicant, 'Real Phones');
  });

  test.each([
    ['startReview', {}, 'DRAFT'],
    ['requestChanges', { comment: 'Why?' }, 'SUBMITTED'],
    ['approve', {}, 'SUBMITTED'],
    ['reject', { reason: 'No.' }, 'SUBMITTED'],
    ['startReview', {}, 'IN_REVIEW'],
    ['submit', {}, 'IN_REVIEW'],
  ])('refuses %s %j of an application that is %s', async (verb, input, status) => {
    const make = {
      DRAFT: async () => ({ applicant: newcomer(), ...(await market.draft(newcomer(), 'Odd')) }),
      SUBMITTED: () => submitted('Odd'),
      IN_REVIEW: () => inReview('Odd'),
    };
    const { id, applicant } = await make[status as keyof typeof make]();

    const { application, userErrors } = await market.move(verb, { id, ...input }, verb === 'submit' ? applicant : admin);

    expect(application).toBeNull();
    expect(userErrors).toEqual([{ code: 'APPLICATION_STATUS', path: ['input', 'id'], status, nextStatuses: expect.any(Array) }]);
  });

  test.each([
    ['startReview', {}],
    ['requestChanges', { comment: 'Why?' }],
    ['approve', {}],
    ['reject', { reason: 'No.' }],
  ])('of %s is closed to applicants and strangers, and knows no other ids', async (verb, input) => {
    const { id, applicant } = await submitted(`Closed ${verb}`);

    await expect(market.move(verb, { id, ...input }, applicant)).rejects.toThrow('FORBIDDEN');
    await expect(market.move(verb, { id, ...input }, stranger)).rejects.toThrow('FORBIDDEN');
    expect((await market.move(verb, { id: 'vap_nowhere', ...input })).userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
  });

  test.each([
    ['an empty comment', 'requestChanges', { comment: '' }, 'comment'],
    ['a comment of 10,000 characters', 'requestChanges', { comment: 'x'.repeat(10_000) }, 'comment'],
    ['an empty reason', 'reject', { reason: ' ' }, 'reason'],
    ['a NUL in the reason', 'reject', { reason: 'a\u0000' }, 'reason'],
    ['a wrong currency', 'approve', { currency: 'zmw' }, 'currency'],
    ['a wrong slug', 'approve', { slug: 'A B' }, 'slug'],
  ])('refuses %s', async (_case, verb, input, field) => {
    expect((await market.move(verb, { id: 'vap_nowhere', ...input })).userErrors).toEqual([{ code: 'INVALID', path: ['input', field] }]);
  });
});

describe('vendorApplications', () => {
  const LIST = `query ($where: VendorApplicationWhere, $sort: VendorApplicationSort, $first: Int, $after: Cursor) {
    vendorApplications(where: $where, sort: $sort, first: $first, after: $after) { nodes { id status storeName } totalCount pageInfo { endCursor hasNextPage } } }`;

  test('is the review queue for admins, and shows everyone else only his own', async () => {
    const { id, applicant } = await submitted('Queue One');
    await submitted('Queue Two');
    const where = { status: { eq: 'SUBMITTED' }, storeName: { startsWith: 'Queue' } };

    const queue = await market.app.ask(LIST, { where, sort: { field: 'CREATED_AT', direction: 'ASC' } });
    const own = await market.app.ask(LIST, {}, { as: applicant });
    const none = await market.app.ask(LIST, { where: { applicantId: { eq: applicant.id } } }, { as: stranger });

    expect(queue.data.vendorApplications.nodes.map(({ storeName }: Data) => storeName)).toEqual(['Queue One', 'Queue Two']);
    expect(own.data.vendorApplications).toMatchObject({ nodes: [{ id }], totalCount: 1 });
    expect(none.data.vendorApplications).toMatchObject({ nodes: [], totalCount: 0 });
    expect(codeOf(await market.app.ask(LIST, {}, { as: null }))).toBe('UNAUTHENTICATED');
  });

  test('goes page by page', async () => {
    for (const name of ['Page B', 'Page A', 'Page C']) await market.run(APPLY, { storeName: name }, newcomer());
    const where = { storeName: { startsWith: 'Page' } };
    const sort = { field: 'STORE_NAME' };

    const first = (await market.app.ask(LIST, { where, sort, first: 2 })).data.vendorApplications;
    const second = (await market.app.ask(LIST, { where, sort, first: 2, after: first.pageInfo.endCursor })).data.vendorApplications;

    expect([...first.nodes, ...second.nodes].map(({ storeName }: Data) => storeName)).toEqual(['Page A', 'Page B', 'Page C']);
    expect([first.pageInfo.hasNextPage, second.pageInfo.hasNextPage]).toEqual([true, false]);
  });

  test.each([
    ['a page of 101', { first: 101 }, 'INVALID'],
    ['a negative page', { first: -1 }, 'INVALID'],
    ['a cursor that is none', { after: 'garbage' }, 'INVALID_CURSOR'],
    ['251 values', { where: { applicantId: { in: Array.from({ length: 251 }, (_, index) => `usr_${index}`) } } }, 'INVALID'],
  ])('refuses %s', async (_case, variables, code) => {
    expect(codeOf(await market.app.ask(LIST, variables))).toBe(code);
  });
});
