import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import type { Data } from '#shared/testing/open.ts';
import { findMemberships } from './contract.ts';
import { account, admin, newcomer, openVendors, stranger, type Vendors } from './fixtures.ts';

const MEMBER = 'id role permissions user { id } vendor { id }';
const CHANGE = `mutation ($input: ChangeVendorMemberRoleInput!) { changeVendorMemberRole(input: $input) { member { ${MEMBER} } userErrors { code path } } }`;
const REMOVE = 'mutation ($input: RemoveVendorMemberInput!) { removeVendorMember(input: $input) { removedId userErrors { code path } } }';
const LEAVE = 'mutation ($input: LeaveVendorInput!) { leaveVendor(input: $input) { removedId userErrors { code path } } }';
const TRANSFER = `mutation ($input: TransferVendorOwnershipInput!) { transferVendorOwnership(input: $input) {
  owner { ${MEMBER} } former { ${MEMBER} } userErrors { code path } } }`;
const APPOINT = `mutation ($input: AppointVendorOwnerInput!) { appointVendorOwner(input: $input) { member { ${MEMBER} } userErrors { code path } } }`;
const LIST = `query ($id: ID!, $first: Int, $after: Cursor) { vendorMembers(vendorId: $id, first: $first, after: $after) {
  nodes { ${MEMBER} joinedAt } totalCount pageInfo { endCursor } } }`;

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const list = async (id: string, as = admin): Promise<Data> => (await market.app.ask(LIST, { id }, { as })).data.vendorMembers.nodes;
const owners = async (id: string): Promise<string[]> =>
  (await list(id)).filter(({ role }: Data) => role === 'OWNER').map(({ user }: Data) => user.id);
const rights = async (as: Viewer) => (await market.app.call(findMemberships, { userId: as.id })).memberships;
/** Two owners, and the ids of their memberships. */
async function coOwned(name: string) {
  const first = newcomer();
  const second = newcomer();
  const vendor = await market.store(first, name);
  const joined = await market.seat(vendor, second, 'OWNER');
  const own = (await list(vendor.id)).find(({ user }: Data) => user.id === first.id);
  return { vendor, first, second, ids: [own.id, joined._id] as [string, string] };
}

describe('the last owner', () => {
  const SEED = Number(process.env['SEED'] ?? Date.now() % 100_000);

  test('is kept when all owners go at the same moment, each in another way', async () => {
    // The seed repeats a failure: SEED=... npm test
    console.info(`SEED=${SEED}`);
    for (let round = 0; round < 8; round += 1) {
      const { vendor, first, second, ids } = await coOwned(`Race ${round}`);
      const ways = [
        (as: Viewer) => market.run(LEAVE, { vendorId: vendor.id }, as),
        (as: Viewer, own: string) => market.run(REMOVE, { memberId: own }, as),
        (as: Viewer, own: string) => market.run(CHANGE, { memberId: own, role: 'VIEWER' }, as),
        (_as: Viewer, own: string) => market.run(REMOVE, { memberId: own }, admin),
      ];
      const pick = (offset: number) => ways[(SEED + round * 7 + offset * 3) % ways.length]!;

      const answers = await Promise.all([pick(0)(first, ids[0]), pick(1)(second, ids[1])]);

      expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual([{ code: 'LAST_OWNER', path: ['input'] }]);
      expect(await owners(vendor.id)).toHaveLength(1);
      const { models } = market.app.context() as Data;
      expect((await models.Vendor.findById(vendor.id).lean()).ownerCount).toBe(1);
    }
  });

  test('is never lost when an owner transfers while the heir leaves', async () => {
    for (let round = 0; round < 6; round += 1) {
      const owner = newcomer();
      const heir = newcomer();
      const vendor = await market.store(owner, `Heir ${round}`);
      const { _id: id } = await market.seat(vendor, heir, 'MANAGER');

      await Promise.all([
        market.run(TRANSFER, { vendorId: vendor.id, memberId: id }, owner),
        market.run(LEAVE, { vendorId: vendor.id }, heir),
      ]);

      expect(await owners(vendor.id)).toHaveLength(1);
      const { models } = market.app.context() as Data;
      expect(await models.Vendor.findById(vendor.id).lean()).toMatchObject({ ownerCount: 1, memberCount: (await list(vendor.id)).length });
    }
  });
});

describe('leaveVendor', () => {
  test('ends the own membership, once', async () => {
    const { vendor, people, members } = await market.staffed('Leavers');

    const answers = await Promise.all([1, 2, 3].map(() => market.run(LEAVE, { vendorId: vendor.id }, people['VIEWER'])));

    expect(answers.filter(({ removedId }) => removedId === members['VIEWER'])).toHaveLength(1);
    expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual(Array(2).fill({ code: 'NOT_FOUND', path: ['input', 'vendorId'] }));
    expect(await rights(people['VIEWER']!)).toEqual([]);
  });

  test('refuses the last owner, strangers and unknown stores', async () => {
    const { vendor, owner } = await market.staffed('Stayers');

    expect((await market.run(LEAVE, { vendorId: vendor.id }, owner)).userErrors).toEqual([{ code: 'LAST_OWNER', path: ['input'] }]);
    expect((await market.run(LEAVE, { vendorId: vendor.id }, stranger)).userErrors[0].code).toBe('NOT_FOUND');
    expect((await market.run(LEAVE, { vendorId: 'ven_nowhere' }, owner)).userErrors[0].code).toBe('NOT_FOUND');
  });
});

describe('transferVendorOwnership', () => {
  test('makes another member owner and the viewer a manager, in one step', async () => {
    const { vendor, members, owner, people } = await market.staffed('Heirloom');

    const answer = await market.run(TRANSFER, { vendorId: vendor.id, memberId: members['VIEWER'] }, owner);

    expect(answer).toMatchObject({
      owner: { id: members['VIEWER'], role: 'OWNER' },
      former: { id: members['OWNER'], role: 'MANAGER' },
      userErrors: [],
    });
    expect(await owners(vendor.id)).toEqual([people['VIEWER']!.id]);
  });

  test('is for owners, to other members of the same store', async () => {
    const { vendor, members, owner, people } = await market.staffed('No Transfer');
    const other = await market.staffed('Elsewhere');
    const input = { vendorId: vendor.id, memberId: members['VIEWER'] };

    for (const as of [people['MANAGER']!, stranger, admin]) await expect(market.run(TRANSFER, input, as)).rejects.toThrow('FORBIDDEN');
    expect((await market.run(TRANSFER, { ...input, memberId: members['OWNER'] }, owner)).userErrors).toEqual([
      { code: 'INVALID', path: ['input', 'memberId'] },
    ]);
    expect((await market.run(TRANSFER, { ...input, memberId: other.members['VIEWER'] }, owner)).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'memberId'] },
    ]);
    expect((await market.run(TRANSFER, { ...input, vendorId: 'ven_nowhere' }, owner)).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'vendorId'] },
    ]);
  });
});

describe('appointVendorOwner', () => {
  test('makes anybody with an account owner, member or not, once', async () => {
    const { vendor, members, people } = await market.staffed('By Decree');
    const outsider = newcomer();

    const outside = await Promise.all([1, 2].map(() => market.run(APPOINT, { vendorId: vendor.id, userId: outsider.id })));
    const inside = await market.run(APPOINT, { vendorId: vendor.id, userId: people['VIEWER']!.id });

    expect(outside.map(({ member }) => member.role)).toEqual(['OWNER', 'OWNER']);
    expect(inside.member).toMatchObject({ id: members['VIEWER'], role: 'OWNER' });
    expect((await owners(vendor.id)).length).toBe(3);
  });

  test('is for admins, and wants an active account and a store', async () => {
    const { vendor, owner } = await market.staffed('Decreed');
    market.accounts.set('usr_asleep', account('usr_asleep', { isActive: false }));

    await expect(market.run(APPOINT, { vendorId: vendor.id, userId: 'usr_1' }, owner)).rejects.toThrow('FORBIDDEN');
    for (const userId of ['usr_asleep', 'usr_gone', '{"$ne":null}']) {
      if (userId.startsWith('{')) market.accounts.set(userId, account(userId, { isActive: false }));
      expect((await market.run(APPOINT, { vendorId: vendor.id, userId })).userErrors).toEqual([
        { code: 'NOT_FOUND', path: ['input', 'userId'] },
      ]);
    }
    expect((await market.run(APPOINT, { vendorId: 'ven_nowhere', userId: 'usr_1' })).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'vendorId'] },
    ]);
  });
});
