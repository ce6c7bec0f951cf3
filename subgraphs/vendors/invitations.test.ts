import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer, type Data } from '#shared/testing/open.ts';
import type { VendorRole } from './roles.ts';
import { ACCEPT, account, admin, codeOf, INVITE, lastToken, newcomer, openVendors, stranger, SUSPEND, type Vendors } from './fixtures.ts';

const REVOKE =
  'mutation ($input: RevokeVendorInvitationInput!) { revokeVendorInvitation(input: $input) { invitation { id status } userErrors { code path } } }';
const LIST = 'query ($id: ID!) { vendorInvitations(vendorId: $id) { nodes { id email role status } totalCount } }';
const WEEK_MS = 7 * 24 * 60 * 60_000;

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const opened = async (name: string) => {
  const owner = newcomer();
  return { owner, vendor: await market.store(owner, name) };
};
const invite = (vendor: Data, as = admin, rest: object = {}) =>
  market.run(INVITE, { vendorId: vendor.id, email: `guest.of.${vendor.id}@example.com`, role: 'VIEWER', ...rest }, as);
const accept = (token: string, as = stranger) => market.run(ACCEPT, { token }, as);
const refusal = (code: string) => ({ member: null, userErrors: [{ code, path: ['input', 'token'] }] });

describe('an invitation', () => {
  test('goes out as a letter whose token the store does not keep, and is accepted by the account it was meant for', async () => {
    const { vendor, owner } = await opened('Welcome');
    const guest = newcomer();

    const { invitation } = await invite(vendor, owner, { email: `${guest.id.toUpperCase()}@Example.com`, role: 'CATALOG' });

    expect(invitation).toMatchObject({
      email: `${guest.id}@example.com`,
      role: 'CATALOG',
      status: 'PENDING',
      vendor: { id: vendor.id },
      invitedBy: { id: owner.id },
    });
    const letter = (await market.app.said('email')).at(-1)!.data;
    expect(letter).toEqual({
      to: `${guest.id}@example.com`,
      template: 'vendor-invitation',
      version: expect.any(String),
      params: { storeName: 'Welcome', role: 'CATALOG', expiresAt: invitation.expiresAt, timeZone: 'Africa/Lusaka' },
      token: expect.any(String),
    });
    const token = await lastToken(market.app);
    expect(token).toMatch(/^[\w-]{43}$/);
    for (const rows of await Promise.all(
      ['outbox', 'invitations'].map((name) => market.app.runtime().db.collection(name).find().toArray()),
    )) {
      expect(rows.length).toBeGreaterThan(0);
      expect(JSON.stringify(rows)).not.toContain(token);
    }

    const { member, userErrors } = await accept(token, guest);

    expect(userErrors).toEqual([]);
    expect(member).toMatchObject({
      role: 'CATALOG',
      permissions: ['PRODUCTS', 'STOCK'],
      user: { id: guest.id },
      vendor: { id: vendor.id, viewerRole: 'CATALOG' },
    });
    const said = (await market.app.said('Vendor.MemberAdded')).filter(({ data }) => data.vendorId === vendor.id);
    expect(said.map(({ data }) => [data.userId, data.role])).toEqual([
      [owner.id, 'OWNER'],
      [guest.id, 'CATALOG'],
    ]);
  });

  test('goes to one address five times an hour at most, from all stores together', async () => {
    const stores = [await opened('Flood One'), await opened('Flood Two')];
    const email = 'flooded@example.com';
    const letters = async () => (await market.app.said('email')).filter(({ data }) => data.to === email).length;
    const write = (count: number) => invite(stores[count % 2]!.vendor, stores[count % 2]!.owner, { email });
    for (let count = 0; count < 5; count += 1) expect((await write(count)).userErrors).toEqual([]);

    for (const count of [0, 1])
      expect(await write(count)).toEqual({ invitation: null, userErrors: [{ code: 'INVITATION_LIMIT', path: ['input', 'email'] }] });

    expect(await letters()).toBe(5);
  });

  test('is shown to whoever holds the letter, and to nobody else', async () => {
    const { vendor, owner } = await opened('Shown');
    await invite(vendor, owner, { role: 'FULFILMENT' });
    const ask = async (token: string) =>
      (
        await market.app.ask(
          'query ($token: String!) { vendorInvitation(token: $token) { role status vendor { name } } }',
          { token },
          { as: null },
        )
      ).data;

    expect(await ask(await lastToken(market.app))).toEqual({
      vendorInvitation: { role: 'FULFILMENT', status: 'PENDING', vendor: { name: 'Shown' } },
    });
    expect(await ask('x'.repeat(43))).toEqual({ vendorInvitation: null });
  });

  test('works once, however often and fast it is used', async () => {
    const { vendor, owner } = await opened('Single Use');
    const guest = newcomer();
    await invite(vendor, owner, { email: `${guest.id}@example.com` });
    const token = await lastToken(market.app);

    const answers = await Promise.all(Array.from({ length: 8 }, () => accept(token, guest)));

    expect(answers.filter(({ member }) => member)).toHaveLength(1);
    for (const answer of answers.filter(({ member }) => !member)) expect(answer).toEqual(refusal('INVITATION_USED'));
    expect(await accept(token, guest)).toEqual(refusal('INVITATION_USED'));
  });

  test('answers the same for the same key', async () => {
    const { vendor, owner } = await opened('Keyed Letters');
    const guest = newcomer();
    const input = { email: `${guest.id}@example.com`, idempotencyKey: 'letter-key-1' };

    const first = await invite(vendor, owner, input);
    const second = await invite(vendor, owner, input);

    expect(second.invitation.id).toBe(first.invitation.id);
    expect((await market.app.said('email')).filter(({ data }) => data.to === input.email)).toHaveLength(1);
    const acceptInput = { token: await lastToken(market.app), idempotencyKey: 'accept-key-1' };
    const joined = await market.run(ACCEPT, acceptInput, guest);
    expect((await market.run(ACCEPT, acceptInput, guest)).member.id).toBe(joined.member.id);
  });

  test('is no use after seven days', async () => {
    const { vendor, owner } = await opened('Too Late');
    const guest = newcomer();
    await invite(vendor, owner, { email: `${guest.id}@example.com` });
    const token = await lastToken(market.app);
    market.app.clock.advance(WEEK_MS + 1_000);

    const answer = await accept(token, guest);
    const listed = (await market.app.ask(LIST, { id: vendor.id })).data.vendorInvitations.nodes;
    market.app.clock.advance(-WEEK_MS - 1_000);

    expect(answer).toEqual(refusal('INVITATION_EXPIRED'));
    expect(listed).toMatchObject([{ status: 'EXPIRED' }]);
  });

  test('is refused to another address, to one not verified, and to an account that is gone', async () => {
    const { vendor, owner } = await opened('Not For You');
    await invite(vendor, owner, { email: 'wanted@example.com' });
    const token = await lastToken(market.app);
    market.accounts.set('usr_unverified', account('usr_unverified', { email: 'Wanted@example.com', emailVerified: false }));
    market.accounts.set('usr_closed', account('usr_closed', { email: 'wanted@example.com', isActive: false }));

    expect(await accept(token, stranger)).toEqual(refusal('EMAIL_MISMATCH'));
    expect(await accept(token, viewer('usr_unverified'))).toEqual(refusal('EMAIL_NOT_VERIFIED'));
    for (const id of ['usr_closed', 'usr_gone']) await expect(accept(token, viewer(id))).rejects.toThrow('UNAUTHENTICATED');
    expect(codeOf(await market.app.ask(ACCEPT, { input: { token } }, { as: null }))).toBe('UNAUTHENTICATED');
  });

  test('is taken back by a newer one to the same address', async () => {
    const { vendor, owner } = await opened('Again Please');
    const guest = newcomer();
    const email = `${guest.id}@example.com`;
    await invite(vendor, owner, { email, role: 'VIEWER' });
    const old = await lastToken(market.app);
    await invite(vendor, owner, { email, role: 'FULFILMENT' });

    expect(await accept(old, guest)).toEqual(refusal('INVITATION_USED'));
    expect((await accept(await lastToken(market.app), guest)).member.role).toBe('FULFILMENT');
  });

  test('of several sent at once to one address leaves one open', async () => {
    const { vendor, owner } = await opened('All At Once');

    const answers = await Promise.all(Array.from({ length: 5 }, () => invite(vendor, owner, { email: 'crowd@example.com' })));

    for (const { userErrors } of answers) expect(userErrors).toEqual([]);
    const { data } = await market.app.ask(LIST, { id: vendor.id });
    expect(data.vendorInvitations.nodes.filter(({ status }: Data) => status === 'PENDING')).toHaveLength(1);
  });

  test('is refused to members, by suspended stores, and by full ones', async () => {
    const { vendor, owner } = await opened('Almost');
    const guest = newcomer();
    await market.join(vendor, owner, guest, 'VIEWER');
    await invite(vendor, owner, { email: `${guest.id}@example.com` });
    const again = await lastToken(market.app);
    const late = newcomer();
    await invite(vendor, owner, { email: `${late.id}@example.com` });
    const token = await lastToken(market.app);
    const { models } = market.app.context() as Data;

    expect(await accept(again, guest)).toEqual(refusal('ALREADY_MEMBER'));
    await models.Vendor.updateOne({ _id: vendor.id }, { $set: { memberCount: 500 } });
    expect(await accept(token, late)).toEqual(refusal('MEMBER_LIMIT'));
    await market.run(SUSPEND, { id: vendor.id, reason: 'x' });
    expect(await accept(token, late)).toEqual(refusal('VENDOR_SUSPENDED'));
    expect((await invite(vendor, owner)).userErrors).toEqual([{ code: 'VENDOR_SUSPENDED', path: ['input', 'vendorId'] }]);
  });

  test.each([
    ['unknown', 'x'.repeat(43), 'NOT_FOUND'],
    ['empty', '', 'NOT_FOUND'],
    ['with NUL', 'a\u0000', 'NOT_FOUND'],
    ['of 10,000 characters', 'x'.repeat(10_000), 'INVALID'],
  ])('is refused with a token that is %s', async (_case, token, code) => {
    expect(await accept(token)).toEqual(refusal(code));
  });
});

describe('inviteVendorMember', () => {
  test.each([
    ['OWNER', 'OWNER', true],
    ['MANAGER', 'CATALOG', true],
    ['MANAGER', 'MANAGER', false],
    ['MANAGER', 'OWNER', false],
    ['CATALOG', 'VIEWER', false],
    ['VIEWER', 'VIEWER', false],
  ])('lets %s invite %s: %s', async (who, role, isAllowed) => {
    const { vendor, owner } = await opened(`Invite ${who} ${role}`);
    const person = who === 'OWNER' ? owner : newcomer();
    if (person !== owner) await market.seat(vendor, person, who as VendorRole);

    if (isAllowed) expect((await invite(vendor, person, { role })).invitation.role).toBe(role);
    else await expect(invite(vendor, person, { role })).rejects.toThrow('FORBIDDEN');
  });

  test('refuses bad addresses, unknown stores and strangers', async () => {
    const { vendor, owner } = await opened('Bad Letters');

    for (const email of ['nobody', 'x'.repeat(10_000), 'a\u0000@b.example', 'a\uD800@b.example'])
      expect((await invite(vendor, owner, { email })).userErrors).toMatchObject([{ code: 'INVALID', path: ['input', 'email'] }]);
    expect((await invite({ id: 'ven_nowhere' }, owner)).userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'vendorId'] }]);
    await expect(invite(vendor, stranger)).rejects.toThrow('FORBIDDEN');
    const input = { vendorId: vendor.id, email: { $ne: null }, role: 'VIEWER' };
    expect(codeOf(await market.app.ask(INVITE, { input }, { as: owner }))).toBe('BAD_USER_INPUT');
  });

  test('refuses the 51st open letter, and the 101st of a day', async () => {
    const { vendor, owner } = await opened('Spam');
    const { models } = market.app.context() as Data;
    const letter = (index: number, status: string) => ({
      vendorId: vendor.id,
      email: `p${index}@example.com`,
      role: 'VIEWER',
      tokenHash: `${vendor.id}${index}`,
      invitedBy: owner.id,
      status,
      expiresAt: new Date(Date.now() + WEEK_MS),
    });
    const limit = [{ code: 'INVITATION_LIMIT', path: ['input', 'vendorId'] }];

    await models.Invitation.create(Array.from({ length: 50 }, (_, index) => letter(index, 'PENDING')));
    expect((await invite(vendor, owner)).userErrors).toEqual(limit);
    await models.Invitation.updateMany({ vendorId: vendor.id }, { $set: { status: 'REVOKED' } });
    expect((await invite(vendor, owner)).userErrors).toEqual([]);
    await models.Invitation.create(Array.from({ length: 49 }, (_, index) => letter(100 + index, 'REVOKED')));
    expect((await invite(vendor, owner)).userErrors).toEqual(limit);
  });
});

describe('revokeVendorInvitation', () => {
  test('makes the letter useless, twice like once', async () => {
    const { vendor, owner } = await opened('Taken Back');
    const guest = newcomer();
    const { invitation } = await invite(vendor, owner, { email: `${guest.id}@example.com` });

    const first = await market.run(REVOKE, { id: invitation.id }, owner);
    const second = await market.run(REVOKE, { id: invitation.id }, owner);

    expect([first.invitation, second.invitation]).toEqual(Array(2).fill({ id: invitation.id, status: 'REVOKED' }));
    expect(await accept(await lastToken(market.app), guest)).toEqual(refusal('INVITATION_USED'));
  });

  test('is for those who could have sent it; others know of none', async () => {
    const { vendor, owner } = await opened('Keepers');
    const manager = newcomer();
    await market.seat(vendor, manager, 'MANAGER');
    const { invitation } = await invite(vendor, owner, { role: 'MANAGER' });

    await expect(market.run(REVOKE, { id: invitation.id }, manager)).rejects.toThrow('FORBIDDEN');
    for (const id of [invitation.id, 'vin_nowhere'])
      expect((await market.run(REVOKE, { id }, stranger)).userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
  });
});

describe('vendorInvitations', () => {
  test('is for members who manage members, and admins', async () => {
    const { vendor, owner } = await opened('Letter Box');
    const clerk = newcomer();
    await market.join(vendor, owner, clerk, 'CATALOG');
    await invite(vendor, owner, { email: 'second@example.com' });

    for (const as of [owner, admin]) {
      const { data } = await market.app.ask(LIST, { id: vendor.id }, { as });
      expect(data.vendorInvitations).toMatchObject({
        nodes: [{ email: 'second@example.com', status: 'PENDING' }, { status: 'ACCEPTED' }],
        totalCount: 2,
      });
    }
    for (const as of [clerk, stranger]) expect(codeOf(await market.app.ask(LIST, { id: vendor.id }, { as }))).toBe('FORBIDDEN');
    expect(codeOf(await market.app.ask(LIST, { id: vendor.id }, { as: null }))).toBe('UNAUTHENTICATED');
    expect(codeOf(await market.app.ask(LIST, { id: 'ven_nowhere' }, { as: owner }))).toBe('NOT_FOUND');
  });
});
