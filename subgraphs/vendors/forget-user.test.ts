import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newId } from '#shared/base/ids.ts';
import type { Data } from '#shared/testing/open.ts';
import { findMemberships } from './contract.ts';
import { admin, newcomer, openVendors, REINSTATE, type Vendors } from './fixtures.ts';

const APPOINT = 'mutation ($input: AppointVendorOwnerInput!) { appointVendorOwner(input: $input) { member { role } userErrors { code } } }';
const LOOK = 'query ($id: ID!) { vendor(id: $id) { state stateReason ownerContact { email } members { nodes { user { id } role } } } }';

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
});
afterAll(() => market.close());

const look = async (id: string): Promise<Data> => (await market.app.ask(LOOK, { id })).data.vendor;
const suspensions = async (id: string) => (await market.app.said('Vendor.Suspended')).filter(({ data }) => data.vendorId === id);

/** Delivers User.Deleted as the queue would, `times` at once. */
async function deleted(userId: string, times = 1) {
  const now = new Date().toISOString();
  const envelope = {
    id: newId('evt'),
    type: 'User.Deleted',
    version: 1,
    occurredAt: now,
    correlationId: 'test',
    data: { userId, timestamp: now },
  };
  const consumer = market.app.runtime().consumers[0]!;
  await Promise.all(Array.from({ length: times }, () => consumer.deliver({ envelope, from: 'accounts' }, 1)));
}

describe('when an account is deleted', () => {
  test('the store of its last owner is suspended, once, and opens again under an owner the operator appoints', async () => {
    const owner = newcomer();
    const clerk = newcomer();
    const vendor = await market.store(owner, 'Orphan Store');
    await market.seat(vendor, clerk, 'CATALOG');

    await deleted(owner.id, 3);

    expect(await look(vendor.id)).toEqual({
      state: 'SUSPENDED',
      stateReason: 'The account of its last owner was deleted.',
      ownerContact: null,
      members: { nodes: [{ user: { id: clerk.id }, role: 'CATALOG' }] },
    });
    expect((await suspensions(vendor.id)).map(({ data }) => data.reason)).toEqual(['The account of its last owner was deleted.']);
    expect(await market.app.call(findMemberships, { userId: owner.id })).toEqual({ memberships: [] });
    expect((await market.run(REINSTATE, { id: vendor.id })).userErrors).toEqual([{ code: 'NO_OWNER', path: ['input', 'id'] }]);
    await market.run(APPOINT, { vendorId: vendor.id, userId: clerk.id });
    expect((await market.run(REINSTATE, { id: vendor.id })).vendor.state).toBe('ACTIVE');
  });

  test('a store with another owner goes on', async () => {
    const first = newcomer();
    const second = newcomer();
    const vendor = await market.store(first, 'Shared Store');
    await market.seat(vendor, second, 'OWNER');

    await deleted(first.id);

    expect(await look(vendor.id)).toMatchObject({ state: 'ACTIVE', members: { nodes: [{ user: { id: second.id }, role: 'OWNER' }] } });
    expect(await suspensions(vendor.id)).toEqual([]);
    const { models } = market.app.context() as Data;
    expect(await models.Vendor.findById(vendor.id).lean()).toMatchObject({ ownerCount: 1, memberCount: 1 });
  });

  test('a store whose two owners are deleted at once is suspended, once', async () => {
    const first = newcomer();
    const second = newcomer();
    const vendor = await market.store(first, 'Both Gone');
    await market.seat(vendor, second, 'OWNER');

    await Promise.all([deleted(first.id), deleted(second.id)]);

    expect(await look(vendor.id)).toMatchObject({ state: 'SUSPENDED', members: { nodes: [] } });
    expect(await suspensions(vendor.id)).toHaveLength(1);
  });

  test('its open application is withdrawn, and contacts, address and documents of all of them go', async () => {
    const applicant = newcomer();
    const { id } = await market.draft(applicant, 'Never Opened', { taxNumber: '1001234567', businessName: 'Real Name Ltd' });
    const { models } = market.app.context() as Data;
    await models.ApplicationDocument.create([
      {
        applicationId: id,
        fileName: 'x.pdf',
        contentType: 'application/pdf',
        size: 1,
        fileKey: `private/vendor-applications/${id}/x.pdf`,
        state: 'ATTACHED',
        checklistKey: 'x',
      },
    ]);

    await deleted(applicant.id, 2);

    const { data } = await market.app.ask(
      `query ($id: ID!) { vendorApplication(id: $id) { status storeName contactEmail contactPhone address { city } taxNumber businessName
        documents { id } timeline { status actorRole actor { id } } } }`,
      { id },
      { as: admin },
    );
    expect(data.vendorApplication).toEqual({
      status: 'WITHDRAWN',
      storeName: 'Never Opened',
      contactEmail: null,
      contactPhone: null,
      address: null,
      taxNumber: null,
      businessName: null,
      documents: [],
      timeline: [
        { status: 'DRAFT', actorRole: 'APPLICANT', actor: { id: applicant.id } },
        { status: 'WITHDRAWN', actorRole: 'SYSTEM', actor: null },
      ],
    });
    market.app.clock.advance(60 * 60_000);
    expect(await market.app.runJob('remove-dropped-documents')).toEqual({ removed: 1 });
    expect(await models.ApplicationDocument.countDocuments({ applicationId: id })).toBe(0);
  });
});
