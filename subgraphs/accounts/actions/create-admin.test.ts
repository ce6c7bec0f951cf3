import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';
import { createAdmin } from './create-admin.ts';

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());
beforeEach(() => app.ctx().models.User.updateMany({ roles: 'admin' }, { roles: ['customer'] }));

describe('createAdmin', () => {
  test('makes an admin who can sign in with the password that it answers', async () => {
    const email = newEmail();

    const made = await createAdmin(app.ctx(), { email, name: 'First Admin' });

    expect(made).toEqual({ outcome: 'CREATED', password: expect.stringMatching(/^[\w-]{20}$/) });
    const { user, userErrors } = await app.login(email, made.password);
    expect([user.email, userErrors]).toEqual([email, []]);
    expect((await app.ctx().models.User.findById(user.id).lean())!.roles).toEqual(['customer', 'admin']);
  });

  test('refuses when there is an admin, unless it is forced', async () => {
    await app.person({ roles: ['admin'] });
    const wanted = { email: newEmail(), name: 'Second Admin' };

    expect(await createAdmin(app.ctx(), wanted)).toEqual({ outcome: 'ADMIN_EXISTS' });
    expect(await app.ctx().models.User.exists({ email: wanted.email })).toBeNull();
    expect(await createAdmin(app.ctx(), { ...wanted, force: true })).toMatchObject({ outcome: 'CREATED' });
  });

  test('gives the role to a confirmed account, which keeps its password', async () => {
    const { email, user } = await app.person();

    expect(await createAdmin(app.ctx(), { email, name: 'Promoted' })).toEqual({ outcome: 'PROMOTED' });

    expect((await app.login(email, PASSWORD)).user.id).toBe(user._id);
    expect((await app.ctx().models.User.findById(user._id).lean())!.roles).toEqual(['customer', 'admin']);
    expect((await app.said('User.ProfileUpdated')).filter(({ data }) => data.userId === user._id)).toMatchObject([
      { data: { changes: ['roles'] } },
    ]);
  });

  test.each([
    ['whose address is not confirmed, since anybody may have made it', { verified: false }, 'UNVERIFIED'],
    ['that is deactivated', { isActive: false }, 'INACTIVE'],
  ])('gives nothing to an account %s', async (_case, state, outcome) => {
    const { email, user } = await app.person();
    await app.ctx().models.User.updateOne({ _id: user._id }, state);

    expect(await createAdmin(app.ctx(), { email, name: 'Nobody' })).toEqual({ outcome });
    expect((await app.ctx().models.User.findById(user._id).lean())!.roles).toEqual(['customer']);
  });
});
