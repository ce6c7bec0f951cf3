import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Data } from '#shared/testing/open.ts';
import { findMemberships, findVendors } from './contract.ts';
import {
  ACCEPT,
  admin,
  CLOSE,
  INVITE,
  lastToken,
  newcomer,
  openVendors,
  REINSTATE,
  stranger,
  SUSPEND,
  UPDATE,
  type Vendors,
} from './fixtures.ts';

const mutation = (name: string, selection: string): string =>
  `mutation ($input: ${name[0]!.toUpperCase()}${name.slice(1)}Input!) { ${name}(input: $input) { ${selection} userErrors { code path } } }`;
const LEAVE = mutation('leaveVendor', 'removedId');

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const codes = ({ userErrors }: Data): string[] => userErrors.map(({ code }: Data) => code);
const said = async (type: string, id: string) => (await market.app.said(type)).filter(({ data }) => data.vendorId === id);

/** All that members can ask for in a store, by somebody whose role allows it. */
async function asked(name: string) {
  const { vendor, members, people } = await market.staffed(name);
  const { invitation } = await market.run(INVITE, { vendorId: vendor.id, email: 'open@example.com', role: 'VIEWER' }, people['OWNER']);
  const token = await lastToken(market.app);
  return {
    vendor,
    people,
    changes: [
      [UPDATE, { id: vendor.id, expectedVersion: 1, description: 'x' }],
      [INVITE, { vendorId: vendor.id, email: 'new@example.com', role: 'VIEWER' }],
      [mutation('revokeVendorInvitation', 'invitation { id }'), { id: invitation.id }],
      [mutation('changeVendorMemberRole', 'member { id }'), { memberId: members['CATALOG'], role: 'VIEWER' }],
      [mutation('removeVendorMember', 'removedId'), { memberId: members['CATALOG'] }],
      [mutation('transferVendorOwnership', 'owner { id }'), { vendorId: vendor.id, memberId: members['MANAGER'] }],
    ] as [string, object][],
    token,
  };
}

describe('a suspended store', () => {
  test('reads, and changes nothing', async () => {
    const { vendor, people, changes, token } = await asked('Suspended Store');
    await market.run(SUSPEND, { id: vendor.id, reason: 'x' });

    for (const [change, input] of changes)
      expect([change, codes(await market.run(change, input, people['OWNER']))]).toEqual([change, ['VENDOR_SUSPENDED']]);
    market.accounts.set('usr_open', {
      id: 'usr_open',
      name: 'x',
      email: 'open@example.com',
      emailVerified: true,
      roles: [],
      isActive: true,
    });
    expect(codes(await market.run(ACCEPT, { token }, { ...stranger, id: 'usr_open' }))).toEqual(['VENDOR_SUSPENDED']);
    const { data } = await market.app.ask(
      'query ($id: ID!) { vendorMembers(vendorId: $id) { totalCount } }',
      { id: vendor.id },
      { as: people['OWNER']! },
    );
    expect(data.vendorMembers.totalCount).toBe(5);
    const { memberships } = await market.app.call(findMemberships, { userId: people['OWNER']!.id });
    expect(memberships).toMatchObject([{ vendorId: vendor.id, role: 'OWNER', state: 'SUSPENDED' }]);
  });

  test('lets its members go, and admins put things right', async () => {
    const { vendor, people, changes } = await asked('Suspended Too');
    await market.run(SUSPEND, { id: vendor.id, reason: 'x' });

    expect(codes(await market.run(LEAVE, { vendorId: vendor.id }, people['VIEWER']))).toEqual([]);
    expect(codes(await market.run(LEAVE, { vendorId: vendor.id }, people['OWNER']))).toEqual(['LAST_OWNER']);
    const [[update, input]] = changes as [[string, object]];
    expect(codes(await market.run(update, input, admin))).toEqual([]);
  });
});

describe('closeVendor', () => {
  test.each([
    ['is active', false],
    ['is suspended', true],
  ])('closes a store that %s for good, once, and its owner may leave', async (how, suspended) => {
    const { vendor, people, changes, token } = await asked(`Closing ${how}`);
    if (suspended) await market.run(SUSPEND, { id: vendor.id, reason: 'x' });
    const input = { id: vendor.id, confirmName: `CLOSING ${how}`, reason: 'We retire.' };

    const answers = await Promise.all([1, 2].map(() => market.run(CLOSE, input, people['OWNER'])));

    for (const { vendor: shown } of answers) expect(shown).toEqual({ id: vendor.id, state: 'CLOSED', stateReason: 'We retire.' });
    expect(await said('Vendor.Closed', vendor.id)).toHaveLength(1);
    for (const [change, given] of changes)
      for (const as of [people['OWNER'], admin])
        if (as !== admin || !change.includes('transfer')) expect(codes(await market.run(change, given, as))).toEqual(['VENDOR_CLOSED']);
    expect(codes(await market.run(ACCEPT, { token }, stranger))).toEqual(['INVITATION_USED']);
    expect(codes(await market.run(REINSTATE, { id: vendor.id }))).toEqual(['VENDOR_CLOSED']);
    expect(codes(await market.run(SUSPEND, { id: vendor.id, reason: 'x' }))).toEqual(['VENDOR_CLOSED']);
    expect(await market.app.call(findVendors, { ids: [vendor.id] })).toMatchObject({ vendors: [{ state: 'CLOSED' }] });

    expect(codes(await market.run(LEAVE, { vendorId: vendor.id }, people['OWNER']))).toEqual([]);
    expect((await market.app.ask('query ($id: ID!) { vendor(id: $id) { name state } }', { id: vendor.id })).data.vendor).toEqual({
      name: `Closing ${how}`,
      state: 'CLOSED',
    });
  });

  test('is refused while orders are under way, to others than owners, and without the name of the store', async () => {
    const { vendor, people } = await market.staffed('Busy Store');
    const input = { id: vendor.id, confirmName: 'Busy Store' };
    market.busy.add(vendor.id);

    expect(await market.run(CLOSE, input, people['OWNER'])).toMatchObject({
      userErrors: [{ code: 'ORDERS_UNDER_WAY', path: ['input', 'id'] }],
    });
    market.busy.clear();
    for (const as of [people['MANAGER'], stranger]) await expect(market.run(CLOSE, input, as)).rejects.toThrow('FORBIDDEN');
    expect(await market.run(CLOSE, { ...input, confirmName: 'Busy' }, people['OWNER'])).toMatchObject({
      userErrors: [{ code: 'INVALID', path: ['input', 'confirmName'] }],
    });
    expect(codes(await market.run(CLOSE, { id: 'ven_none', confirmName: 'x' }, newcomer()))).toEqual(['NOT_FOUND']);
    expect(await said('Vendor.Closed', vendor.id)).toEqual([]);

    expect(codes(await market.run(CLOSE, input, admin))).toEqual([]);
  });
});
