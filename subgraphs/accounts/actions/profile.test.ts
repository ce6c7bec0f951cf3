import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { findAddress } from '../contract.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { openAccounts, type Accounts } from '../testing.ts';

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

const PROFILE = 'user { name phone locale profile { key value } version }';
const update = (as: Viewer, input: object) => app.run('updateProfile', input, PROFILE, { as });
const changesOf = async (userId: string) =>
  (await app.said('User.ProfileUpdated')).filter(({ data }) => data.userId === userId).map(({ data }) => data.changes);
const invalid = (...path: string[]) => [{ code: 'INVALID', path: ['input', ...path], message: expect.any(String) }];

describe('updateProfile', () => {
  test('changes what is given, leaves the rest, and names the fields in the event', async () => {
    const { as } = await app.person({ name: 'Chipo Moonga' });

    expect(await update(as, { phone: '+260 977 123 456', locale: 'en-zm' })).toEqual({
      user: { name: 'Chipo Moonga', phone: '+260977123456', locale: 'en-ZM', profile: [], version: 2 },
      userErrors: [],
    });
    expect((await update(as, { phone: null })).user).toMatchObject({ phone: null, locale: 'en-ZM' });

    expect(await changesOf(as.id)).toEqual([['phone', 'locale'], ['phone']]);
  });

  test('says nothing when nothing is different', async () => {
    const { as } = await app.person({ name: 'Chipo Moonga' });

    const { user } = await update(as, { name: ' Chipo Moonga ' });

    expect(user.version).toBe(1);
    expect(await changesOf(as.id)).toEqual([]);
  });

  test('keeps metadata by key, and removes what has no value', async () => {
    const { as } = await app.person();
    await update(as, {
      profile: [
        { key: 'shoeSize', value: '42' },
        { key: 'news.letter', value: 'yes' },
      ],
    });

    const { user } = await update(as, {
      profile: [
        { key: 'shoeSize', value: '43' },
        { key: 'news.letter', value: null },
        { key: 'team', value: 'Zesco' },
      ],
    });

    expect(user.profile).toEqual([
      { key: 'shoeSize', value: '43' },
      { key: 'team', value: 'Zesco' },
    ]);
  });

  test('keeps every entry that two devices set at the same time', async () => {
    const { as } = await app.person();

    await Promise.all(Array.from({ length: 6 }, (_, index) => update(as, { profile: [{ key: `key${index}`, value: 'x' }] })));

    const { data } = await app.ask('{ me { profile { key } } }', {}, { as });
    expect(data.me.profile.map(({ key }: { key: string }) => key).sort()).toEqual(['key0', 'key1', 'key2', 'key3', 'key4', 'key5']);
  });

  test('holds at most 50 entries', async () => {
    const { as } = await app.person();
    const entries = (from: number, count: number) =>
      Array.from({ length: count }, (_, index) => ({ key: `key${from + index}`, value: 'x' }));

    expect((await update(as, { profile: entries(0, 51) })).userErrors).toEqual(invalid('profile'));
    expect((await update(as, { profile: entries(0, 251) })).userErrors).toEqual(invalid('profile'));
    await update(as, { profile: entries(0, 50) });

    expect((await update(as, { profile: entries(50, 1) })).userErrors).toEqual(invalid('profile'));
    expect((await update(as, { profile: [{ key: 'key0', value: null }, ...entries(50, 1)] })).userErrors).toEqual([]);
  });

  test.each([
    ['no name', { name: ' ' }, ['name']],
    ['a name of 10,000 characters', { name: 'x'.repeat(10_000) }, ['name']],
    ['a name with a NUL', { name: 'a\0b' }, ['name']],
    ['half a character', { name: 'a\ud800' }, ['name']],
    ['a phone without country', { phone: '0977123456' }, ['phone']],
    ['a language that is none', { locale: 'klingon!' }, ['locale']],
    ['a key with a dollar', { profile: [{ key: '$where', value: '1' }] }, ['profile', '0', 'key']],
    ['a key of the prototype', { profile: [{ key: '__proto__', value: '1' }] }, ['profile', '0', 'key']],
    ['an endless key', { profile: [{ key: 'k'.repeat(65), value: '1' }] }, ['profile', '0', 'key']],
    ['an endless value', { profile: [{ key: 'k', value: 'x'.repeat(10_000) }] }, ['profile', '0', 'value']],
    ['a value with a NUL', { profile: [{ key: 'k', value: '\0' }] }, ['profile', '0', 'value']],
  ])('refuses %s', async (_case, input, path) => {
    const { as } = await app.person();

    expect(await update(as, input)).toEqual({ user: null, userErrors: invalid(...path) });
  });

  test.each([
    ['roles', ['ADMIN']],
    ['role', 'ADMIN'],
    ['verified', true],
    ['email', 'a@soko.example'],
    ['isActive', true],
    ['scopes', ['a:b']],
    ['id', 'usr_1'],
    ['version', 9],
  ])('takes no %s from a client', async (field, value) => {
    const { as } = await app.person();

    expect(await app.refusal('updateProfile', { [field]: value }, PROFILE, { as })).toBe('BAD_USER_INPUT');
  });

  test('is over for who is closed or gone', async () => {
    const { as } = await app.person();
    await app.ctx().models.User.deleteOne({ _id: as.id });

    expect(await app.refusal('updateProfile', { name: 'x' }, PROFILE, { as })).toBe('UNAUTHENTICATED');
  });
});

const ADDRESS = 'address { id label recipient phone line1 line2 city region postalCode country location { longitude latitude } isDefault }';
const home = {
  label: 'Home',
  recipient: 'Thandiwe Ngoma',
  phone: '+260975550116',
  line1: 'House 112, Chindo Road',
  line2: 'Woodlands, black gate',
  city: 'Lusaka',
  country: 'ZM',
  location: { longitude: 28.3336, latitude: -15.4342 },
};
const create = (as: Viewer, input: object = {}) => app.run('createAddress', { ...home, ...input }, ADDRESS, { as });
const addressesOf = async (as: Viewer) => {
  const { data } = await app.ask('{ me { addresses { id label isDefault } defaultAddress { id } } }', {}, { as });
  return data.me as { addresses: { id: string; label: string | null; isDefault: boolean }[]; defaultAddress: { id: string } | null };
};

describe('addresses', () => {
  test('are kept as given, the first one as default', async () => {
    const { as } = await app.person();

    const { address } = await create(as, { isDefault: false });
    const second = await create(as, { label: null, line2: '' });

    expect(address).toEqual({ ...home, id: expect.stringMatching(/^adr_/), region: null, postalCode: null, isDefault: true });
    expect(second.address).toMatchObject({ label: null, line2: null, isDefault: false });
    expect(await addressesOf(as)).toMatchObject({
      defaultAddress: { id: address.id },
      addresses: [{ isDefault: true }, { isDefault: false }],
    });
    expect(await changesOf(as.id)).toEqual([['addresses'], ['addresses']]);
  });

  test('have one default at a time', async () => {
    const { as } = await app.person();
    const first = (await create(as)).address;
    const second = (await create(as, { isDefault: true })).address;
    expect((await addressesOf(as)).addresses.map(({ isDefault }) => isDefault)).toEqual([false, true]);

    expect((await app.run('setDefaultAddress', { id: first.id }, ADDRESS, { as })).address).toMatchObject({
      id: first.id,
      isDefault: true,
    });

    expect((await addressesOf(as)).addresses.filter(({ isDefault }) => isDefault)).toMatchObject([{ id: first.id }]);
    expect(second.id).not.toBe(first.id);
  });

  test('are changed where something is given', async () => {
    const { as } = await app.person();
    const { address } = await create(as);
    await create(as, { label: 'Work' });

    const answer = await app.run('updateAddress', { id: address.id, city: 'Kitwe', line2: null, location: null }, ADDRESS, { as });

    expect(answer).toEqual({ address: { ...address, city: 'Kitwe', line2: null, location: null }, userErrors: [] });
    expect((await addressesOf(as)).addresses.map(({ label }) => label)).toEqual(['Home', 'Work']);
    expect((await app.run('updateAddress', { id: address.id }, ADDRESS, { as })).address.city).toBe('Kitwe');
  });

  test('go once; the oldest of the others becomes the default', async () => {
    const { as } = await app.person();
    const [first, second, third] = [(await create(as)).address, (await create(as)).address, (await create(as)).address];

    for (let twice = 0; twice < 2; twice += 1) {
      expect(await app.run('deleteAddress', { id: first.id }, 'deletedId', { as })).toEqual({ deletedId: first.id, userErrors: [] });
    }
    expect((await addressesOf(as)).defaultAddress).toEqual({ id: second.id });

    await app.run('deleteAddress', { id: third.id }, 'deletedId', { as });
    await app.run('deleteAddress', { id: second.id }, 'deletedId', { as });
    expect(await addressesOf(as)).toEqual({ addresses: [], defaultAddress: null });
  });

  test('are 50 at most, also when they come at the same time', async () => {
    const { as } = await app.person();
    await app
      .ctx()
      .models.User.updateOne(
        { _id: as.id },
        { addresses: Array.from({ length: 47 }, (_, index) => ({ ...home, _id: `adr_${index}` })), defaultAddressId: 'adr_0' },
      );

    const answers = await Promise.all(Array.from({ length: 6 }, () => create(as)));

    expect(answers.filter(({ address }) => address)).toHaveLength(3);
    expect(answers.flatMap(({ userErrors }) => userErrors.map(({ code }: { code: string }) => code))).toEqual([
      'TOO_MANY_ADDRESSES',
      'TOO_MANY_ADDRESSES',
      'TOO_MANY_ADDRESSES',
    ]);
    expect((await addressesOf(as)).addresses).toHaveLength(50);
  });

  test('of somebody else cannot be told from those that are not there', async () => {
    const [owner, thief] = [await app.person(), await app.person()];
    const { address } = await create(owner.as);

    for (const id of [address.id, 'adr_01ARZ3NDEKTSV4RRFFQ69G5FAV', '']) {
      const notFound = [{ code: 'NOT_FOUND', path: ['input', 'id'], message: expect.any(String) }];
      expect((await app.run('updateAddress', { id, city: 'Ndola' }, ADDRESS, { as: thief.as })).userErrors).toEqual(notFound);
      expect((await app.run('setDefaultAddress', { id }, ADDRESS, { as: thief.as })).userErrors).toEqual(notFound);
      expect((await app.run('deleteAddress', { id }, 'deletedId', { as: thief.as })).deletedId).toBe(id);
    }

    expect((await addressesOf(owner.as)).addresses).toMatchObject([{ id: address.id, label: 'Home' }]);
    expect((await addressesOf(thief.as)).addresses).toEqual([]);
  });

  test.each([
    ['no recipient', { recipient: '' }, ['recipient']],
    ['no street', { line1: ' ' }, ['line1']],
    ['no town', { city: '' }, ['city']],
    ['a phone without country', { phone: '0977' }, ['phone']],
    ['a country by its name', { country: 'Zambia' }, ['country']],
    ['a country in small letters', { country: 'zm' }, ['country']],
    ['a country that is none', { country: 'ZZ' }, ['country']],
    ['a country that has another code', { country: 'UK' }, ['country']],
    ['a city that nobody sees', { city: '\u200b' }, ['city']],
    ['a place beyond the pole', { location: { longitude: 0, latitude: 90.1 } }, ['location', 'latitude']],
    ['a place around the world', { location: { longitude: 181, latitude: 0 } }, ['location', 'longitude']],
    ['10,000 characters', { line2: 'x'.repeat(10_000) }, ['line2']],
    ['a NUL', { line1: 'a\0' }, ['line1']],
    ['half a character', { city: '\udc00' }, ['city']],
  ])('refuse %s', async (_case, wrong, path) => {
    const { as } = await app.person();

    expect(await create(as, wrong)).toEqual({ address: null, userErrors: invalid(...path) });
  });

  test('are handed to other subgraphs as copies, and to nobody else', async () => {
    const { as } = await app.person();
    const other = await app.person();
    const first = (await create(as)).address;
    const second = (await create(as, { label: 'Work', city: 'Ndola', location: null })).address;

    const { label: _label, ...copy } = home;
    expect(await app.call(findAddress, { userId: as.id })).toEqual({ address: { ...copy, region: null, postalCode: null } });
    expect((await app.call(findAddress, { userId: as.id, addressId: second.id })).address).toMatchObject({ city: 'Ndola', location: null });
    expect(await app.call(findAddress, { userId: other.as.id, addressId: first.id })).toEqual({ address: null });
    expect(await app.call(findAddress, { userId: other.as.id })).toEqual({ address: null });
    expect(await app.call(findAddress, { userId: 'usr_unknown' })).toEqual({ address: null });
  });
});
