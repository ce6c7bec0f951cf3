import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Envelope } from '#shared/kit/define-event.ts';
import { newId } from '#shared/base/ids.ts';
import { answering } from '#shared/testing/open.ts';
import { findMemberships, vendorApproved, vendorMemberAdded, vendorMemberRemoved } from '../../vendors/contract.ts';
import { openAccounts, type Accounts } from '../testing.ts';

/* What the vendors' subgraph would say of a user. */
const stores = new Map<string, string[]>();
const memberships = (userId: string) =>
  (stores.get(userId) ?? []).map((vendorId) => ({ vendorId, role: 'STAFF', permissions: [], state: 'ACTIVE' as const }));

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts({ answers: [answering(findMemberships, ({ userId }) => ({ memberships: memberships(userId) }))] });
});
afterAll(() => app.close());

const timestamp = new Date().toISOString();
const envelopeOf = ({
  definition: { type, version },
  data,
}: {
  definition: { type: string; version: number };
  data: unknown;
}): Envelope => ({
  id: newId('evt'),
  type,
  version,
  occurredAt: timestamp,
  correlationId: 'test',
  data,
});
const hear = (envelope: Envelope) =>
  app
    .runtime()
    .consumers.find(({ queue }) => queue === 'accounts')!
    .deliver({ envelope, from: 'vendors' }, 1);
const rolesOf = async (id: string) => (await app.ctx().models.User.findById(id).lean())!.roles;

describe('the role vendor', () => {
  test('comes with an approved store, once', async () => {
    const { as } = await app.person();
    const envelope = envelopeOf(vendorApproved({ vendorId: 'vnd_1', storeName: 'Clay', ownerId: as.id, timestamp }));

    await hear(envelope);
    await hear(envelope);

    expect(await rolesOf(as.id)).toEqual(['customer', 'vendor']);
    expect((await app.said('User.ProfileUpdated')).map(({ data }) => data)).toMatchObject([{ userId: as.id, changes: ['roles'] }]);
  });

  test('comes with a membership, and goes with the last one', async () => {
    const { as } = await app.person();
    for (const vendorId of ['vnd_1', 'vnd_2'])
      await hear(envelopeOf(vendorMemberAdded({ vendorId, userId: as.id, role: 'STAFF', timestamp })));
    stores.set(as.id, ['vnd_2']);
    await hear(envelopeOf(vendorMemberRemoved({ vendorId: 'vnd_1', userId: as.id, timestamp })));
    expect(await rolesOf(as.id)).toEqual(['customer', 'vendor']);

    stores.delete(as.id);
    const last = envelopeOf(vendorMemberRemoved({ vendorId: 'vnd_2', userId: as.id, timestamp }));
    await hear(last);
    await hear(last);

    expect(await rolesOf(as.id)).toEqual(['customer']);
  });

  test('leaves a customer behind where it was the only role', async () => {
    const { as } = await app.person({ roles: ['vendor'] });

    await hear(envelopeOf(vendorMemberRemoved({ vendorId: 'vnd_1', userId: as.id, timestamp })));

    expect(await rolesOf(as.id)).toEqual(['customer']);
  });

  test('is in the token from the next refresh on, without signing in anew', async () => {
    const { as, email } = await app.person();
    const { refreshToken } = await app.signIn(email);
    await hear(envelopeOf(vendorApproved({ vendorId: 'vnd_1', storeName: 'Clay', ownerId: as.id, timestamp })));

    const { accessToken } = await app.refresh(refreshToken);

    expect(JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url').toString()).roles).toEqual(['customer', 'vendor']);
  });

  test('of somebody who is gone troubles nobody', async () => {
    await expect(
      hear(envelopeOf(vendorMemberAdded({ vendorId: 'vnd_1', userId: 'usr_gone', role: 'STAFF', timestamp }))),
    ).resolves.toBeUndefined();
  });
});
