import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { findVendors } from './contract.ts';
import { admin, codeOf, newcomer, openVendors, REINSTATE, stranger, SUSPEND, UPDATE, type Vendors } from './fixtures.ts';

const PUBLIC = 'id name slug description currency timeZone state isOpenNow nextOpening viewerRole viewerPermissions';
const PRIVATE = 'stateReason ownerContact { email phone } timeline { state reason actor { id } } members { nodes { role user { id } } }';

// A Wednesday, 08:00 in Lusaka.
const NOW = new Date('2026-03-04T06:00:00Z');

let market: Vendors;
beforeAll(async () => {
  market = await openVendors({ now: NOW });
});
afterAll(() => market.close());

const update = (input: object, as = admin) => market.run(UPDATE, input, as);
const opened = async (name: string, rest: object = {}) => {
  const owner = newcomer();
  return { owner, vendor: await market.store(owner, name, rest) };
};

describe('a store', () => {
  test('is found by id, by slug and through the entity door by everyone', async () => {
    const { vendor } = await opened('Open House', { description: 'Bread.' });
    const shown = {
      id: vendor.id,
      name: 'Open House',
      slug: 'open-house',
      description: 'Bread.',
      currency: 'ZMW',
      state: 'ACTIVE',
      viewerRole: null,
      viewerPermissions: [],
    };

    const { data } = await market.app.ask(
      `query ($id: ID!) { vendor(id: $id) { ${PUBLIC} } vendorBySlug(slug: "open-house") { id } nobody: vendor(id: "ven_nowhere") { id } none: vendorBySlug(slug: "no") { id } }`,
      { id: vendor.id },
      { as: null },
    );
    const entity = await market.app.entities([{ __typename: 'Vendor', id: vendor.id }], `... on Vendor { ${PUBLIC} }`, { as: null });

    expect(data).toEqual({ vendor: expect.objectContaining(shown), vendorBySlug: { id: vendor.id }, nobody: null, none: null });
    expect(entity.data._entities).toEqual([expect.objectContaining(shown)]);
  });

  test('shows what it keeps for itself to members and admins only, on both doors', async () => {
    const { vendor, owner } = await opened('Two Doors');
    const secret = {
      stateReason: null,
      ownerContact: { email: 'mwila@example.com', phone: '+260971234567' },
      members: { nodes: [{ role: 'OWNER', user: { id: owner.id } }] },
    };

    for (const as of [owner, admin]) {
      const { data } = await market.app.ask(`query ($id: ID!) { vendor(id: $id) { ${PRIVATE} } }`, { id: vendor.id }, { as });
      expect(data.vendor).toMatchObject(secret);
      const entity = await market.app.entities([{ __typename: 'Vendor', id: vendor.id }], `... on Vendor { ${PRIVATE} }`, { as });
      expect(entity.data._entities[0]).toMatchObject(secret);
    }
    for (const as of [stranger, null]) {
      const asked = await market.app.ask(`query ($id: ID!) { vendor(id: $id) { name ${PRIVATE} } }`, { id: vendor.id }, { as });
      const entity = await market.app.entities([{ __typename: 'Vendor', id: vendor.id }], `... on Vendor { name ${PRIVATE} }`, { as });
      for (const { errors } of [asked, entity])
        expect(errors!.map(({ extensions }) => extensions['code'])).toEqual(Array(4).fill('FORBIDDEN'));
      const hidden = { name: 'Two Doors', stateReason: null, ownerContact: null, timeline: null, members: null };
      expect([asked.data.vendor, entity.data._entities[0]]).toEqual([hidden, expect.objectContaining(hidden)]);
    }
  });

  test('tells its members what they are and may do in it', async () => {
    const { vendor, owner } = await opened('Roles Here');
    const other = await opened('Also Mine');

    const mine = await market.app.ask(`{ myVendors { name viewerRole viewerPermissions } }`, {}, { as: owner });

    expect(mine.data.myVendors).toEqual([
      { name: 'Roles Here', viewerRole: 'OWNER', viewerPermissions: ['STORE', 'MEMBERS', 'PRODUCTS', 'STOCK', 'ORDERS', 'MONEY'] },
    ]);
    expect(codeOf(await market.app.ask('{ myVendors { name } }', {}, { as: null }))).toBe('UNAUTHENTICATED');
    expect(vendor.id).not.toBe(other.vendor.id);
  });
});

describe('suspendVendor and reinstateVendor', () => {
  test('take the right to sell and give it back, once each, with the reason for members only', async () => {
    const { vendor, owner } = await opened('Trouble Store');

    const answers = await Promise.all([1, 2, 3].map(() => market.run(SUSPEND, { id: vendor.id, reason: 'Complaints.' })));

    for (const { vendor: shown } of answers) expect(shown).toEqual({ id: vendor.id, state: 'SUSPENDED', stateReason: 'Complaints.' });
    const said = async (type: string) =>
      (await market.app.said(type)).filter(({ data }) => data.vendorId === vendor.id).map(({ data }) => data);
    expect(await said('Vendor.Suspended')).toEqual([{ vendorId: vendor.id, reason: 'Complaints.', timestamp: expect.any(String) }]);
    expect(await market.app.call(findVendors, { ids: [vendor.id] })).toMatchObject({ vendors: [{ state: 'SUSPENDED' }] });
    const { data } = await market.app.ask(
      'query ($id: ID!) { vendor(id: $id) { state timeline { state reason } } }',
      { id: vendor.id },
      { as: owner },
    );
    expect(data.vendor.timeline).toEqual([
      { state: 'ACTIVE', reason: null },
      { state: 'SUSPENDED', reason: 'Complaints.' },
    ]);
    const refused = await update({ id: vendor.id, expectedVersion: 1, description: 'Better.' }, owner);
    expect(refused.userErrors).toMatchObject([{ code: 'VENDOR_SUSPENDED', path: ['input', 'id'] }]);

    const back = await market.run(REINSTATE, { id: vendor.id });
    const again = await market.run(REINSTATE, { id: vendor.id });

    expect([back.vendor, again.vendor]).toEqual(Array(2).fill({ id: vendor.id, state: 'ACTIVE', stateReason: null }));
    expect(await said('Vendor.Reinstated')).toHaveLength(1);
    expect((await update({ id: vendor.id, expectedVersion: 1, description: 'Better.' }, owner)).vendor.version).toBe(2);
  });

  test('are for admins, want a reason, and know no other ids', async () => {
    const { vendor, owner } = await opened('Just Fine');

    for (const as of [owner, stranger]) {
      await expect(market.run(SUSPEND, { id: vendor.id, reason: 'x' }, as)).rejects.toThrow('FORBIDDEN');
      await expect(market.run(REINSTATE, { id: vendor.id }, as)).rejects.toThrow('FORBIDDEN');
    }
    expect((await market.run(SUSPEND, { id: vendor.id, reason: '' })).userErrors).toEqual([{ code: 'INVALID', path: ['input', 'reason'] }]);
    expect((await market.run(REINSTATE, { id: vendor.id, reason: 'x'.repeat(10_000) })).userErrors).toEqual([
      { code: 'INVALID', path: ['input', 'reason'] },
    ]);
    expect((await market.run(SUSPEND, { id: 'ven_nowhere', reason: 'x' })).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'id'] },
    ]);
    expect((await market.run(REINSTATE, { id: 'ven_nowhere' })).userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
  });
});

describe('vendors', () => {
  const LIST = `query ($where: VendorWhere, $sort: VendorSort, $first: Int, $after: Cursor) {
    vendors(where: $where, sort: $sort, first: $first, after: $after) { nodes { name state } totalCount pageInfo { endCursor } } }`;
  const names = (answer: Data) => answer.data.vendors.nodes.map(({ name }: Data) => name);

  test('lists by name what may sell, for admins what may not as well', async () => {
    await opened('Listed B');
    await opened('Listed A');
    const { vendor } = await opened('Listed C');
    await market.run(SUSPEND, { id: vendor.id, reason: 'x' });
    const where = { name: { startsWith: 'Listed' } };

    expect(names(await market.app.ask(LIST, { where }, { as: null }))).toEqual(['Listed A', 'Listed B']);
    expect(names(await market.app.ask(LIST, { where: { ...where, state: { eq: 'SUSPENDED' } } }, { as: stranger }))).toEqual([]);
    expect(names(await market.app.ask(LIST, { where }))).toEqual(['Listed A', 'Listed B', 'Listed C']);
    expect(names(await market.app.ask(LIST, { where: { ...where, state: { eq: 'SUSPENDED' } } }))).toEqual(['Listed C']);
  });

  test('filters, sorts and pages', async () => {
    await opened('Tokyo One', { currency: 'JPY', address: { line1: '1-1', city: 'Tokyo', country: 'JP' } });
    await opened('Tokyo Two', { currency: 'JPY', address: { line1: '1-2', city: 'Tokyo', country: 'JP' } });
    const where = { AND: [{ currency: { eq: 'JPY' } }, { OR: [{ city: { eq: 'Tokyo' } }, { country: { in: ['FR'] } }] }] };
    const sort = { field: 'CREATED_AT', direction: 'DESC' };

    const first = await market.app.ask(LIST, { where, sort, first: 1 });
    const second = await market.app.ask(LIST, { where, sort, first: 1, after: first.data.vendors.pageInfo.endCursor });

    expect([names(first), names(second)]).toEqual([['Tokyo Two'], ['Tokyo One']]);
    expect(first.data.vendors.totalCount).toBe(2);
  });

  test('finds and sorts by name whatever its case, accents and width', async () => {
    for (const name of ['Zèbre Deux', 'zebre un', 'Zebre Trois']) await opened(name);

    for (const startsWith of ['ZEBRE', 'zèbre', 'ｚｅｂｒｅ', 'Ze\u200Bbre'])
      expect(names(await market.app.ask(LIST, { where: { name: { startsWith } } }))).toEqual(['Zèbre Deux', 'Zebre Trois', 'zebre un']);
  });

  test.each([
    ['a page of 101', { first: 101 }, 'INVALID'],
    ['a cursor that is none', { after: 'garbage' }, 'INVALID_CURSOR'],
    ['251 ids', { where: { id: { in: Array(251).fill('ven_x') } } }, 'INVALID'],
    ['an operator of the store', { where: { name: { $ne: null } } }, 'BAD_USER_INPUT'],
    ['an unknown state', { where: { state: { eq: 'GONE' } } }, 'BAD_USER_INPUT'],
  ])('refuses %s', async (_case, variables, code) => {
    expect(codeOf(await market.app.ask(LIST, variables))).toBe(code);
  });
});
