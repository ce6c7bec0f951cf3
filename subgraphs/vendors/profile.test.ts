import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { admin, codeOf, newcomer, openVendors, stranger, UPDATE, type Vendors } from './fixtures.ts';

// A Wednesday, 08:00 in Lusaka.
const NOW = new Date('2026-03-04T06:00:00Z');

let market: Vendors;
beforeAll(async () => {
  market = await openVendors({ now: NOW });
  await market.store(newcomer(), 'Taken Name');
});
afterAll(() => market.close());

const update = (input: object, as = admin) => market.run(UPDATE, input, as);
const opened = async (name: string, rest: object = {}) => {
  const owner = newcomer();
  return { owner, vendor: await market.store(owner, name, rest) };
};

describe('updateVendor', () => {
  test('changes what is given, keeps the rest, and says which fields differ', async () => {
    const { vendor, owner } = await opened('Old Name');

    const answer = await update(
      {
        id: vendor.id,
        expectedVersion: 1,
        name: 'New Name',
        slug: 'new-name',
        description: 'One\r\ntwo',
        contactEmail: 'Hello@Shop.example',
        contactPhone: '+81 3-1234-5678',
        address: { line1: 'Plot 9', city: 'Ndola', country: 'ZM', location: { longitude: 28.63, latitude: -12.97 } },
        timeZone: 'africa/lusaka',
        closures: [],
      },
      owner,
    );

    expect(answer.userErrors).toEqual([]);
    expect(answer.vendor).toMatchObject({
      name: 'New Name',
      slug: 'new-name',
      version: 2,
      description: 'One\ntwo',
      contactEmail: 'hello@shop.example',
      contactPhone: '+81312345678',
      address: { city: 'Ndola', location: { longitude: 28.63, latitude: -12.97 } },
      timeZone: 'Africa/Lusaka',
      currency: 'ZMW',
    });
    const said = (await market.app.said('Vendor.Updated')).filter(({ data }) => data.vendorId === vendor.id);
    expect(said.map(({ data }) => data.changes)).toEqual([['name', 'slug', 'description', 'contactEmail', 'contactPhone', 'address']]);
    const cleared = await update({ id: vendor.id, expectedVersion: 2, description: null, address: null, contactPhone: null }, owner);
    expect(cleared.vendor).toMatchObject({ description: null, address: null, contactPhone: null, contactEmail: 'hello@shop.example' });
  });

  test('lets one of many through who read the same version', async () => {
    const { vendor, owner } = await opened('Contended');

    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, index) => update({ id: vendor.id, expectedVersion: 1, description: `${index}` }, owner)),
    );

    expect(answers.filter((answer) => answer.vendor)).toHaveLength(1);
    expect(answers.flatMap(({ userErrors }) => userErrors)).toEqual(
      Array(7).fill({ code: 'STALE_VERSION', path: ['input', 'expectedVersion'], message: expect.any(String), currentVersion: 2 }),
    );
  });

  test.each([
    ['other case and spacing', 'TAKEN   name'],
    ['Cyrillic letters', 'Tаkеn Nаmе'],
    ['Greek capitals', 'ΤΑΚΕΝ ΝΑΜΕ'],
    ['invisible characters', 'Taken\u200b Na\u00adme'],
    ['full width', 'Ｔａｋｅｎ Ｎａｍｅ'],
    ['accents and punctuation', 'Tàken-Náme!'],
  ])('refuses a name that is taken, written with %s', async (how, name) => {
    const { vendor, owner } = await opened(`Seeker ${how}`);

    const { userErrors } = await update({ id: vendor.id, expectedVersion: 1, name }, owner);

    expect(userErrors).toMatchObject([{ code: 'NAME_TAKEN', path: ['input', 'name'] }]);
  });

  test('may write its own name in another way', async () => {
    const { vendor, owner } = await opened('same same');

    expect((await update({ id: vendor.id, expectedVersion: 1, name: 'Same Same' }, owner)).vendor.name).toBe('Same Same');
  });

  test('refuses a slug that is taken', async () => {
    const { vendor } = await opened('Slug Holder');
    const other = await opened('Slug Seeker');

    const { userErrors } = await update({ id: other.vendor.id, expectedVersion: 1, slug: vendor.slug }, other.owner);

    expect(userErrors).toMatchObject([{ code: 'SLUG_TAKEN', path: ['input', 'slug'] }]);
  });

  test.each([
    ['a name of one character', { name: 'a' }, ['name']],
    ['no name', { name: null }, ['name']],
    ['the name of the operator', { name: 'S0KO support' }, ['name']],
    ['a name of 10,000 characters', { name: 'x'.repeat(10_000) }, ['name']],
    ['a country that is none', { address: { line1: 'x', city: 'x', country: 'UK' } }, ['address', 'country']],
    ['a name of emoji only', { name: '🍞🍞' }, ['name']],
    ['a lone surrogate', { description: 'a\uDC00' }, ['description']],
    ['a NUL', { description: 'a\u0000' }, ['description']],
    ['a slug with a slash', { slug: 'a/b' }, ['slug']],
    ['an e-mail that is none', { contactEmail: 'x@' }, ['contactEmail']],
    ['a phone number that is none', { contactPhone: '+1' }, ['contactPhone']],
    ['a time zone that is none', { timeZone: 'Africa/Nowhere' }, ['timeZone']],
    ['no time zone', { timeZone: null }, ['timeZone']],
    ['an hour that does not exist', { openingHours: [{ day: 'MONDAY', opens: '24:00', closes: '08:00' }] }, ['openingHours', '0', 'opens']],
    ['hours of no length', { openingHours: [{ day: 'MONDAY', opens: '08:00', closes: '08:00' }] }, ['openingHours', '0', 'closes']],
    [
      'hours that overlap',
      {
        openingHours: [
          { day: 'MONDAY', opens: '08:00', closes: '12:00' },
          { day: 'MONDAY', opens: '11:59', closes: '13:00' },
        ],
      },
      ['openingHours', '1'],
    ],
    [
      'hours that reach from Sunday night into Monday’s',
      {
        openingHours: [
          { day: 'MONDAY', opens: '01:00', closes: '05:00' },
          { day: 'SUNDAY', opens: '20:00', closes: '02:00' },
        ],
      },
      ['openingHours', '0'],
    ],
    ['251 intervals', { openingHours: Array(251).fill({ day: 'MONDAY', opens: '08:00', closes: '12:00' }) }, ['openingHours']],
    ['a day that is not on the calendar', { closures: [{ from: '2026-02-29', to: '2026-03-01' }] }, ['closures', '0', 'from']],
    ['a closure that ends before it begins', { closures: [{ from: '2026-03-02', to: '2026-03-01' }] }, ['closures', '0', 'to']],
    ['a closure of two years', { closures: [{ from: '2026-03-02', to: '2028-03-02' }] }, ['closures', '0', 'to']],
    ['a long note', { closures: [{ from: '2026-03-02', to: '2026-03-02', note: 'x'.repeat(10_000) }] }, ['closures', '0', 'note']],
    ['a logo of this machine', { logo: 'http://[::ffff:127.0.0.1]/x.png' }, ['logo']],
    ['a banner with a password', { banner: 'https://a:b@example.com/x.png' }, ['banner']],
    ['251 closures', { closures: Array(251).fill({ from: '2026-03-02', to: '2026-03-02' }) }, ['closures']],
  ])('refuses %s', async (_case, fields, path) => {
    const { userErrors, vendor } = await update({ id: 'ven_nowhere', expectedVersion: 1, ...fields });

    expect(vendor).toBeNull();
    expect(userErrors).toMatchObject([{ code: 'INVALID', path: ['input', ...path] }]);
  });

  test('is for members who may, and admins; a stranger is refused, an unknown store unknown', async () => {
    const { vendor } = await opened('Guarded');
    const clerk = newcomer();
    await market.seat(vendor, clerk, 'CATALOG');
    const manager = newcomer();
    await market.seat(vendor, manager, 'MANAGER');
    const input = { id: vendor.id, expectedVersion: 1, description: 'x' };

    await expect(update(input, stranger)).rejects.toThrow('FORBIDDEN');
    await expect(update(input, clerk)).rejects.toThrow('FORBIDDEN');
    expect(codeOf(await market.app.ask(UPDATE, { input }, { as: null }))).toBe('UNAUTHENTICATED');
    expect((await update({ ...input, id: 'ven_nowhere' })).userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
    expect((await update(input, manager)).vendor.version).toBe(2);
    expect((await update({ ...input, expectedVersion: 2 })).vendor.version).toBe(3);
    expect(codeOf(await market.app.ask(UPDATE, { input: { ...input, name: { $ne: null } } }))).toBe('BAD_USER_INPUT');
  });
});

describe('opening hours', () => {
  test('are kept in the order of the week and answered in the time zone of the store', async () => {
    const { vendor, owner } = await opened('Clockwork');
    const openingHours = [
      { day: 'THURSDAY', opens: '22:00', closes: '02:00' },
      { day: 'WEDNESDAY', opens: '14:00', closes: '17:30' },
      { day: 'WEDNESDAY', opens: '07:00', closes: '12:00' },
    ];
    const CLOCK = 'query ($id: ID!) { vendor(id: $id) { isOpenNow nextOpening } }';
    const clock = async () => (await market.app.ask(CLOCK, { id: vendor.id }, { as: null })).data.vendor;
    expect(await clock()).toEqual({ isOpenNow: null, nextOpening: null });

    const { vendor: kept } = await update({ id: vendor.id, expectedVersion: 1, openingHours }, owner);

    expect(kept.openingHours).toEqual([openingHours[2], openingHours[1], openingHours[0]]);
    expect(await clock()).toEqual({ isOpenNow: true, nextOpening: '2026-03-04T12:00:00.000Z' });
    market.app.clock.advance(5 * 60 * 60_000);
    expect(await clock()).toEqual({ isOpenNow: false, nextOpening: '2026-03-04T12:00:00.000Z' });
    market.app.clock.advance(-5 * 60 * 60_000);
    await update({ id: vendor.id, expectedVersion: 2, closures: [{ from: '2026-03-04', to: '2026-03-04', note: 'Inventory' }] }, owner);
    expect(await clock()).toEqual({ isOpenNow: false, nextOpening: '2026-03-05T20:00:00.000Z' });
  });
});
