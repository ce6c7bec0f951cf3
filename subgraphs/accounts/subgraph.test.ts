import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newEmail, openAccounts, PASSWORD, type Accounts } from './testing.ts';

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

test('registers, confirms, signs in and shows who it is', async () => {
  const email = newEmail();

  expect(await app.run('register', { email, password: PASSWORD, name: 'Mwape Kasonde' }, 'accepted')).toEqual({
    accepted: true,
    userErrors: [],
  });
  expect(await app.run('verifyEmail', { token: await app.mailedToken(email) }, 'verified')).toEqual({ verified: true, userErrors: [] });
  const { as } = await app.signIn(email);

  const { data } = await app.ask('{ me { id displayName email verified roles } }', {}, { as });
  expect(data.me).toEqual({ id: as.id, displayName: 'Mwape K.', email, verified: true, roles: ['CUSTOMER'] });
});
