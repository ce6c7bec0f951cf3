import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import type { Data } from '#shared/testing/open.ts';
import { findMemberships } from './contract.ts';
import { admin, codeOf, INVITE, newcomer, openVendors, stranger, type Vendors } from './fixtures.ts';

const MEMBER = 'id role permissions user { id } vendor { id }';
const CHANGE = `mutation ($input: ChangeVendorMemberRoleInput!) { changeVendorMemberRole(input: $input) { member { ${MEMBER} } userErrors { code path } } }`;
const REMOVE = 'mutation ($input: RemoveVendorMemberInput!) { removeVendorMember(input: $input) { removedId userErrors { code path } } }';
const LIST = `query ($id: ID!, $first: Int, $after: Cursor) { vendorMembers(vendorId: $id, first: $first, after: $after) {
  nodes { ${MEMBER} joinedAt } totalCount pageInfo { endCursor } } }`;

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const rights = async (as: Viewer) => (await market.app.call(findMemberships, { userId: as.id })).memberships;

describe('roles', () => {
  test('give what they say, to findMemberships at once', async () => {
    const { vendor, people } = await market.staffed('Role Play');

    const permissions = [];
    for (const role of ['OWNER', 'MANAGER', 'CATALOG', 'FULFILMENT', 'VIEWER']) permissions.push((await rights(people[role]!))[0]);

    const active = { vendorId: vendor.id, state: 'ACTIVE' };
    expect(permissions).toEqual([
      { ...active, role: 'OWNER', permissions: ['STORE', 'MEMBERS', 'PRODUCTS', 'STOCK', 'ORDERS', 'MONEY'] },
      { ...active, role: 'MANAGER', permissions: ['STORE', 'MEMBERS', 'PRODUCTS', 'STOCK', 'ORDERS'] },
      { ...active, role: 'CATALOG', permissions: ['PRODUCTS', 'STOCK'] },
      { ...active, role: 'FULFILMENT', permissions: ['STOCK', 'ORDERS'] },
      { ...active, role: 'VIEWER', permissions: [] },
    ]);
    expect(await rights(stranger)).toEqual([]);
  });

  test.each([
    ['OWNER', 'VIEWER', 'OWNER', true],
    ['OWNER', 'MANAGER', 'CATALOG', true],
    ['MANAGER', 'VIEWER', 'CATALOG', true],
    ['MANAGER', 'CATALOG', 'FULFILMENT', true],
    ['MANAGER', 'VIEWER', 'MANAGER', false],
    ['MANAGER', 'VIEWER', 'OWNER', false],
    ['MANAGER', 'OWNER', 'VIEWER', false],
    ['MANAGER', 'MANAGER', 'OWNER', false],
    ['MANAGER', 'MANAGER', 'VIEWER', false],
    ['CATALOG', 'VIEWER', 'CATALOG', false],
    ['FULFILMENT', 'FULFILMENT', 'MANAGER', false],
    ['VIEWER', 'VIEWER', 'OWNER', false],
  ])('let %s make %s a %s: %s', async (who, whom, role, isAllowed) => {
    const { members, people } = await market.staffed(`Raise ${who} ${whom} ${role}`);

    const { data, errors } = await market.app.ask(CHANGE, { input: { memberId: members[whom], role } }, { as: people[who]! });

    if (isAllowed) expect(data.changeVendorMemberRole).toMatchObject({ member: { id: members[whom], role }, userErrors: [] });
    else expect(errors![0]!.extensions['code']).toBe('FORBIDDEN');
  });
});

describe('changeVendorMemberRole', () => {
  test('says so once, and takes the letters of who may not invite any more', async () => {
    const { vendor, people, members, owner } = await market.staffed('Letters');
    await market.run(INVITE, { vendorId: vendor.id, email: 'new@example.com', role: 'VIEWER' }, people['MANAGER']);

    await market.run(CHANGE, { memberId: members['MANAGER'], role: 'VIEWER' }, owner);
    await market.run(CHANGE, { memberId: members['MANAGER'], role: 'VIEWER' }, owner);

    const said = (await market.app.said('Vendor.MemberRoleChanged')).filter(({ data }) => data.vendorId === vendor.id);
    expect(said.map(({ data }) => data)).toEqual([
      { vendorId: vendor.id, userId: people['MANAGER']!.id, role: 'VIEWER', timestamp: expect.any(String) },
    ]);
    const { data } = await market.app.ask('query ($id: ID!) { vendorInvitations(vendorId: $id) { nodes { email status } } }', {
      id: vendor.id,
    });
    expect(data.vendorInvitations.nodes[0]).toEqual({ email: 'new@example.com', status: 'REVOKED' });
  });

  test('keeps the last owner, also against admins', async () => {
    const { members, owner } = await market.staffed('Last One');

    for (const as of [owner, admin]) {
      expect((await market.run(CHANGE, { memberId: members['OWNER'], role: 'MANAGER' }, as)).userErrors).toEqual([
        { code: 'LAST_OWNER', path: ['input'] },
      ]);
    }
  });

  test('knows no members of other stores and no other ids', async () => {
    const { members } = await market.staffed('Closed Shop');
    const other = await market.staffed('Other Shop');

    for (const [memberId, as] of [
      [members['VIEWER'], other.owner],
      [members['VIEWER'], stranger],
      ['vmb_nowhere', other.owner],
    ] as const) {
      expect((await market.run(CHANGE, { memberId, role: 'VIEWER' }, as)).userErrors).toEqual([
        { code: 'NOT_FOUND', path: ['input', 'memberId'] },
      ]);
      expect((await market.run(REMOVE, { memberId }, as)).userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'memberId'] }]);
    }
    expect(codeOf(await market.app.ask(CHANGE, { input: { memberId: 'x', role: 'KING' } }))).toBe('BAD_USER_INPUT');
  });
});

describe('removeVendorMember', () => {
  test('ends all rights at once and says so', async () => {
    const { vendor, people, members, owner } = await market.staffed('Exit');

    const { removedId } = await market.run(REMOVE, { memberId: members['CATALOG'] }, people['MANAGER']);

    expect(removedId).toBe(members['CATALOG']);
    expect(await rights(people['CATALOG']!)).toEqual([]);
    const said = (await market.app.said('Vendor.MemberRemoved')).filter(({ data }) => data.vendorId === vendor.id);
    expect(said.map(({ data }) => data.userId)).toEqual([people['CATALOG']!.id]);
    await expect(market.run(REMOVE, { memberId: members['MANAGER'] }, people['MANAGER'])).rejects.toThrow('FORBIDDEN');
    await expect(market.run(REMOVE, { memberId: members['OWNER'] }, people['MANAGER'])).rejects.toThrow('FORBIDDEN');
    expect((await market.run(REMOVE, { memberId: members['OWNER'] }, owner)).userErrors).toEqual([{ code: 'LAST_OWNER', path: ['input'] }]);
  });
});

describe('vendorMembers', () => {
  test('is for the members of the store and admins, page by page', async () => {
    const { vendor, people, owner } = await market.staffed('Listing');
    const page = async (after?: string) =>
      (await market.app.ask(LIST, { id: vendor.id, first: 3, after }, { as: people['VIEWER']! })).data.vendorMembers;

    const first = await page();
    const second = await page(first.pageInfo.endCursor);

    expect([...first.nodes, ...second.nodes].map(({ role }: Data) => role)).toEqual([
      'OWNER',
      'MANAGER',
      'CATALOG',
      'FULFILMENT',
      'VIEWER',
    ]);
    expect(first).toMatchObject({ totalCount: 5, nodes: [{ user: { id: owner.id }, vendor: { id: vendor.id } }, {}, {}] });
    expect(codeOf(await market.app.ask(LIST, { id: vendor.id }, { as: stranger }))).toBe('FORBIDDEN');
    expect(codeOf(await market.app.ask(LIST, { id: vendor.id }, { as: null }))).toBe('UNAUTHENTICATED');
    expect(codeOf(await market.app.ask(LIST, { id: 'ven_nowhere' }, { as: stranger }))).toBe('NOT_FOUND');
    expect(codeOf(await market.app.ask(LIST, { id: vendor.id, first: 101 }))).toBe('INVALID');
  });
});

describe('the entity door', () => {
  test('shows a member to colleagues, the person and admins only', async () => {
    const { members, people } = await market.staffed('Colleagues');
    const outsider = await market.staffed('Outsiders');
    const ask = (as: Viewer | null) =>
      market.app.entities([{ __typename: 'VendorMember', id: members['CATALOG'] }], '... on VendorMember { id role user { id } }', { as });

    for (const as of [people['CATALOG']!, people['VIEWER']!, admin])
      expect((await ask(as)).data._entities[0]).toMatchObject({ id: members['CATALOG'], role: 'CATALOG' });
    for (const as of [outsider.owner, stranger, null]) {
      const answer = await ask(as);
      expect([codeOf(answer), JSON.stringify(answer.data).includes('CATALOG')]).toEqual(['FORBIDDEN', false]);
    }
  });

  test('shows the memberships of a user to the user and admins only', async () => {
    const { vendor, people } = await market.staffed('Extended');
    const ask = (as: Viewer | null) =>
      market.app.entities(
        [{ __typename: 'User', id: people['CATALOG']!.id }],
        '... on User { id vendorMemberships { role vendor { id } } }',
        { as },
      );

    for (const as of [people['CATALOG']!, admin])
      expect((await ask(as)).data._entities[0].vendorMemberships).toEqual([{ role: 'CATALOG', vendor: { id: vendor.id } }]);
    for (const as of [people['OWNER']!, stranger, null]) {
      const answer = await ask(as);
      expect([codeOf(answer), answer.data._entities[0].vendorMemberships]).toEqual(['FORBIDDEN', null]);
    }
  });

  test('shows an application to its applicant and admins only', async () => {
    const applicant = newcomer();
    const { id } = await market.draft(applicant, 'Side Door');
    const ask = (as: Viewer | null) =>
      market.app.entities([{ __typename: 'VendorApplication', id }], '... on VendorApplication { id storeName contactEmail }', { as });

    for (const as of [applicant, admin]) expect((await ask(as)).data._entities[0]).toMatchObject({ storeName: 'Side Door' });
    for (const as of [stranger, null]) {
      const answer = await ask(as);
      expect([codeOf(answer), JSON.stringify(answer.data).includes('Side Door')]).toEqual(['FORBIDDEN', false]);
    }
  });

  test.each(['Vendor', 'VendorMember', 'VendorApplication'])('answers null for a %s that is not there', async (type) => {
    const { data } = await market.app.entities([{ __typename: type, id: 'nowhere' }], `... on ${type} { id }`);

    expect(data._entities).toEqual([null]);
  });
});
