import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { extendReservation, restockReservation } from './contract.ts';
import { codeOf, ledgerProblems, openShop, randomOf, type Shop } from './testing/shop.ts';
import type { KeyedMutex } from '#shared/store/keyed-mutex.ts';

const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
const ROUNDS = 2;

/** As if every transaction ran in a process of its own: only the filters and the store's conflicts are left. */
const noTurns: KeyedMutex = { acquire: async () => undefined };

/** What it comes to in the end: a caller who is told that he may ask again does so, as the checkout does. */
async function outcomeOf(ask: () => Promise<unknown>): Promise<string> {
  for (;;) {
    const code = await codeOf(ask());
    if (code !== 'TIMEOUT' && code !== 'UNAVAILABLE') return code;
  }
}

describe.each<[string, KeyedMutex | undefined, number]>([
  ['in one process', undefined, 60],
  ['in as many processes as there are callers', noTurns, 20],
])('%s', (_where, locks, buyers) => {
  let shop: Shop;
  beforeAll(async () => {
    console.info(`seed ${seed}`);
    shop = await openShop(locks ? { locks } : {});
  });
  afterAll(() => shop.app.close());

  test(`${buyers} buyers for 7 pieces hold exactly 7`, async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const cup = await shop.stocked(7);
      const started = performance.now();

      const references = Array.from({ length: buyers }, () => shop.reference());
      const codes = await Promise.all(references.map((reference) => outcomeOf(() => shop.reserve(reference, { [cup]: 1 }))));

      console.info(`${buyers} for 7: ${Math.round(performance.now() - started)} ms`);
      expect(codes.filter((code) => code === 'ok')).toHaveLength(7);
      expect(codes.filter((code) => code === 'INSUFFICIENT_STOCK')).toHaveLength(buyers - 7);
      expect(await shop.item(cup)).toMatchObject({ onHand: 7, reserved: 7, available: 0 });
    }
    expect(await ledgerProblems(shop.ctx())).toEqual([]);
  }, 120_000);

  test('two carts that want the same goods in opposite order both get an answer, and no half', async () => {
    const [cup, plate] = [await shop.stocked(12), await shop.stocked(12)];
    const carts = Array.from({ length: 16 }, (_cart, index) => (index % 2 ? { [cup]: 1, [plate]: 1 } : { [plate]: 1, [cup]: 1 }));

    const wishes = carts.map((lines) => ({ lines, reference: shop.reference() }));
    const codes = await Promise.all(wishes.map(({ lines, reference }) => outcomeOf(() => shop.reserve(reference, lines))));

    expect(codes.filter((code) => code === 'ok')).toHaveLength(12);
    expect([await shop.available(cup), await shop.available(plate)]).toEqual([0, 0]);
  }, 60_000);

  test('a buyer who asks for the last places at once gets exactly those', async () => {
    // Of different goods: their items must not be what keeps the transactions apart.
    const cups: string[] = [];
    for (let count = 0; count < 6; count += 1) cups.push(await shop.stocked(5));
    const holder = shop.reference();
    const ask = (cup: string) => codeOf(shop.reserve(shop.reference(), { [cup]: 1 }, { holder }));
    for (let count = 0; count < 17; count += 1) await ask(cups[count % 5]!);

    const codes = await Promise.all(cups.map(ask));

    expect(codes.filter((code) => code === 'ok')).toHaveLength(3);
    expect(codes.filter((code) => code === 'TOO_MANY_RESERVATIONS')).toHaveLength(3);
  }, 60_000);

  test('one reference, asked for, sold and released 4 times each at once, ends in one state that adds up', async () => {
    const random = randomOf(seed);
    for (let round = 0; round < ROUNDS; round += 1) {
      const cup = await shop.stocked(10);
      const reference = shop.reference();
      const calls = [shop.reserve, shop.commit, shop.release].flatMap((call) => Array.from({ length: 4 }, () => call));
      const shuffled = calls.map((call) => ({ call, at: random() })).sort((a, b) => a.at - b.at);

      const codes = await Promise.all(
        shuffled.map(({ call }) =>
          codeOf(call === shop.reserve ? shop.reserve(reference, { [cup]: 3 }) : (call as typeof shop.commit)(reference)),
        ),
      );

      expect(codes.filter((code) => !['ok', 'RESERVATION_ENDED'].includes(code))).toEqual([]);
      // Four releases came through, so whatever happened between, nothing is held or sold.
      expect(await shop.item(cup)).toMatchObject({ onHand: 10, reserved: 0, available: 10 });
    }
    expect(await ledgerProblems(shop.ctx())).toEqual([]);
  }, 60_000);

  test('anything by anybody at any time: the ledger explains every balance, and every piece is somewhere', async () => {
    for (let round = 0; round < ROUNDS; round += 1) await stir(shop, randomOf(seed + round));
  }, 180_000);
});

const WORKERS = 6;
const STEPS = 12;

/** Workers do random things to the same few variants and references; then the books are read. */
async function stir(shop: Shop, random: () => number): Promise<void> {
  const [near, far] = [await shop.warehouse(1), await shop.warehouse(2)];
  const variants = [
    await shop.stocked({ [near]: 6, [far]: 6 }),
    await shop.stocked({ [near]: 8, [far]: 0 }),
    await shop.stocked({ [far]: 5 }),
  ];
  const initial = [12, 8, 5];
  const references = Array.from({ length: 8 }, () => shop.reference());
  const added = [0, 0, 0];
  const below = (count: number) => Math.floor(random() * count);
  const oneOf = <T>(list: T[]): T => list[below(list.length)]!;

  const steps: (() => Promise<unknown>)[] = [
    () =>
      shop.reserve(oneOf(references), Object.fromEntries(variants.filter(() => random() < 0.6).map((id) => [id, 1 + below(3)])), {
        ttlSeconds: oneOf([30, 600]),
      }),
    () => shop.commit(oneOf(references)),
    () => shop.release(oneOf(references)),
    () => shop.app.call(extendReservation, { reference: oneOf(references), ttlSeconds: 60 }),
    () =>
      shop.app.call(restockReservation, {
        reference: oneOf(references),
        returnId: `ret_${below(6)}`,
        lines: [{ variantId: oneOf(variants), quantity: 1 }],
        reason: '',
      }),
    async () => {
      const which = below(3);
      const input = {
        variantId: variants[which],
        warehouseId: oneOf([near, far]),
        delta: below(7) - 3,
        reason: 'stir',
        idempotencyKey: `stir-${shop.reference()}`,
      };
      if ((await shop.run('adjustStock', input)).stockItem) added[which]! += input.delta;
    },
    () => {
      const [fromWarehouseId, toWarehouseId] = random() < 0.5 ? [near, far] : [far, near];
      return shop.run('transferStock', {
        variantId: oneOf(variants),
        fromWarehouseId,
        toWarehouseId,
        quantity: 1 + below(2),
        idempotencyKey: `stir-${shop.reference()}`,
      });
    },
    async () => {
      shop.app.clock.advance(below(20) * 1_000);
      return shop.app.runJob('expire-reservations');
    },
  ];
  const EXPECTED = new Set([
    'ok',
    'INVALID',
    'INSUFFICIENT_STOCK',
    'RESERVATION_ENDED',
    'RESERVATION_DIFFERS',
    'RESERVATION_NOT_COMMITTED',
    'RETURN_EXCEEDS_SOLD',
  ]);

  const codes = await Promise.all(
    Array.from({ length: WORKERS }, async () => {
      const seen: string[] = [];
      for (let step = 0; step < STEPS; step += 1) seen.push(await codeOf(oneOf([...steps, ...steps.slice(0, 3)])()));
      return seen;
    }),
  );

  expect([...new Set(codes.flat())].filter((code) => !EXPECTED.has(code))).toEqual([]);
  expect(await ledgerProblems(shop.ctx())).toEqual([]);
  const { Reservation, StockItem } = shop.ctx().models;
  const sold = (await Reservation.find({ reference: { $in: references }, state: 'COMMITTED' }).lean()).flatMap(({ lines }) => lines);
  for (const [which, variantId] of variants.entries()) {
    const gone = sold.filter((line) => line.variantId === variantId).reduce((sum, { quantity, returned }) => sum + quantity - returned, 0);
    const onHand = (await StockItem.find({ variantId }).lean()).reduce((sum, item) => sum + item.onHand, 0);
    expect(onHand).toBe(initial[which]! + added[which]! - gone);
  }
}
