import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer } from '#shared/testing/open.ts';
import { newKey, type Data } from './market/test-door.ts';
import { openMarket, type OpenMarket } from './market/test-market.ts';
import { openChance } from './market/test-seed.ts';
import { loadSubgraphs } from './market/test-subgraphs.ts';
import { faultsOf } from './market/test-truth.ts';

const chance = openChance();
let market: OpenMarket;
let buyers = 0;

beforeAll(async () => {
  console.info(`seed of the races: ${chance.seed}`);
  market = await openMarket();
}, 60_000);
afterAll(() => market?.close());

const byText = (a: string, b: string): number => (a < b ? -1 : 1);
const newBuyer = () => viewer(`usr_racer_${(buyers += 1)}`);
const db = (name: string) => market.app.runtime(name).db;
const codesOf = (answers: Data[]): string[] =>
  answers.map(({ order, userErrors }) => (order ? 'ordered' : userErrors[0].code)).toSorted(byText);
const timed = async <T>(what: string, work: Promise<T>): Promise<T> => {
  const since = performance.now();
  const result = await work;
  console.info(`${what}: ${Math.round(performance.now() - since)} ms`);
  return result;
};

/** Nothing is under way any more, and everything adds up. */
async function expectNoFaults(): Promise<void> {
  await market.app.settled();
  expect(await faultsOf(db, await loadSubgraphs())).toEqual([]);
}

test.each([1, 2, 3])(
  '60 buyers for 7 pieces make exactly 7 orders (round %i)',
  async () => {
    const { door, grocer } = market;
    const variantId = await market.scarce(7);
    const racers = Array.from({ length: 60 }, newBuyer);
    await Promise.all(racers.map((racer) => door.fill(racer, { [variantId]: 1 })));

    const answers = await timed('60 buyers for 7 pieces', Promise.all(racers.map((racer) => door.orderUntilAnswered(racer, newKey()))));

    expect(codesOf(answers)).toEqual([
      ...Array.from({ length: 53 }, () => 'INSUFFICIENT_STOCK'),
      ...Array.from({ length: 7 }, () => 'ordered'),
    ]);
    for (const { userErrors } of answers.filter(({ order }) => !order))
      expect(userErrors).toEqual([expect.objectContaining({ variantId, available: 0 })]);
    expect(await door.stock(grocer.owner, variantId)).toMatchObject({ onHand: 0, reserved: 0, available: 0 });
    await expectNoFaults();
  },
  60_000,
);

test('the same idempotency key 20 times at once makes one order', async () => {
  const { door, goods } = market;
  const buyer = newBuyer();
  await door.fill(buyer, { [goods.meal]: 1, [goods.dress]: 2 });
  const key = newKey();

  const answers = await timed('one key 20 times', Promise.all(Array.from({ length: 20 }, () => door.order(buyer, { key }))));

  const ids = new Set(answers.flatMap(({ order }) => order?.id ?? []));
  const [id] = ids;
  expect(ids.size).toBe(1);
  for (const { order, userErrors } of answers) if (!order) expect(['IDEMPOTENCY_IN_FLIGHT', 'OVERLOADED']).toContain(userErrors[0].code);
  expect((await door.order(buyer, { key })).order).toMatchObject({ id, status: 'CONFIRMED' });
  expect(await db('orders').collection('orders').countDocuments({ buyerId: buyer.id })).toBe(1);
});

test('a cart that is ordered twice at once under two keys makes one order', async () => {
  const { door, goods } = market;
  for (let round = 0; round < 5; round += 1) {
    const buyer = newBuyer();
    await door.fill(buyer, { [goods.oil]: 1 });

    const answers = await Promise.all([1, 2, 3].map(() => door.order(buyer)));

    expect(answers.filter(({ order }) => order)).toHaveLength(1);
    for (const { order, userErrors } of answers) if (!order) expect(['CART_IN_CHECKOUT', 'CART_EMPTY']).toContain(userErrors[0].code);
  }
});

test('a product edited by two keeps the first edit, and the second is told', async () => {
  const { door, grocer, products } = market;
  const current = async () => (await door.ask('catalog', grocer.owner, `{ product(id: "${products.oil}") { name version } }`)).data.product;
  for (let round = 0; round < 5; round += 1) {
    const { version } = await current();
    const edit = (name: string): Promise<Data> =>
      door.run('catalog', grocer.owner, 'updateProduct', { id: products.oil, expectedVersion: version, name }, 'product { name version }');

    const answers = await Promise.all([edit(`Oil of Ann ${round}`), edit(`Oil of Bob ${round}`)]);

    const won = answers.filter(({ product }) => product);
    expect(won).toHaveLength(1);
    expect(answers.find(({ product }) => !product)!.userErrors).toEqual([expect.objectContaining({ code: 'STALE_VERSION' })]);
    expect(await current()).toEqual(won[0]!.product);
  }
});

describe('an order that is cancelled while it is moved on', () => {
  test.each([
    ['its buyer cancels while it is packed', 'CONFIRMED', 'PROCESSING', false],
    ['an admin cancels while it is shipped', 'PROCESSING', 'SHIPPED', true],
  ])('%s: one of them wins, and the stock agrees', async (_case, before, to, byAdmin) => {
    const { door, goods, grocer, admin } = market;
    const outcomes: string[] = [];
    for (let round = 0; round < 8; round += 1) {
      const buyer = newBuyer();
      const { order } = await door.buy(buyer, { [goods.meal]: 2 });
      const part = order.vendorOrders[0].id;
      if (before === 'PROCESSING') await door.move(grocer.owner, part, 'PROCESSING');

      const moves = [() => door.cancel(byAdmin ? admin : buyer, order.id), () => door.move(grocer.owner, part, to)];
      const [first, second] = chance.next() < 0.5 ? [0, 1] : [1, 0];
      const answers: Data[] = [];
      await Promise.all([first, second].map(async (index) => (answers[index!] = await moves[index!]!())));

      const [cancelled, moved] = answers.map(({ userErrors }) => userErrors.length === 0);
      expect([cancelled, moved].filter(Boolean)).toHaveLength(1);
      const refusal = answers.find(({ userErrors }) => userErrors.length > 0)!.userErrors[0].code;
      expect(['NOT_CANCELLABLE', 'ILLEGAL_TRANSITION']).toContain(refusal);
      outcomes.push(cancelled ? 'cancelled' : to);
    }
    console.info(`${to}: ${outcomes.join(' ')}`);
    await expectNoFaults();
  });
});

test('a random mix of placing, cancelling, moving and counting leaves every sum right', async () => {
  const { door, goods, grocer, tailor, admin } = market;
  const scarce = [await market.scarce(20), await market.scarce(5)];
  const variants = [goods.meal, goods.shirt, ...scarce];
  const placed: { order: Data; buyer: ReturnType<typeof viewer> }[] = [];
  const codes = new Map<string, number>();
  const note = ({ userErrors }: Data, what: string): void => {
    const code = `${what} ${userErrors[0]?.code ?? 'done'}`;
    codes.set(code, (codes.get(code) ?? 0) + 1);
  };
  const owners = new Map([grocer, tailor].map(({ id, owner }) => [id, owner]));

  const place = async (): Promise<void> => {
    const buyer = newBuyer();
    const payload = await door.buy(buyer, { [chance.pick(variants)]: chance.between(1, 3), [chance.pick(variants)]: chance.between(1, 2) });
    if (payload.order) placed.push({ order: payload.order, buyer });
    note(payload, 'place');
  };
  const cancel = async (): Promise<void> => {
    if (placed.length === 0) return place();
    const { order, buyer } = chance.pick(placed);
    note(await door.cancel(chance.next() < 0.7 ? buyer : admin, order.id), 'cancel');
  };
  const move = async (): Promise<void> => {
    if (placed.length === 0) return place();
    const { id, vendor } = chance.pick<Data>(chance.pick(placed).order.vendorOrders);
    note(await door.move(owners.get(vendor.id)!, id, chance.pick(['PROCESSING', 'SHIPPED', 'DELIVERED'])), 'move');
  };
  const count = async (): Promise<void> => {
    const variantId = chance.pick(scarce);
    const { onHand, version } = await door.stock(grocer.owner, variantId);
    const input = { variantId, onHand: Math.max(0, onHand + chance.between(-2, 5)), expectedVersion: version };
    note(await door.run('inventory', grocer.owner, 'setStock', input, 'stockItem { id }'), 'count');
  };
  const work = async (): Promise<void> => {
    for (let step = 0; step < 12; step += 1) await chance.pick([place, place, place, cancel, cancel, move, move, count])();
  };

  await timed('a random mix of 96 steps by 8 people', Promise.all(Array.from({ length: 8 }, work)));

  console.info(JSON.stringify(Object.fromEntries([...codes].toSorted(([a], [b]) => byText(a, b)))));
  const refusals = [...codes.keys()].map((code) => code.split(' ')[1]);
  const understood = ['done', 'INSUFFICIENT_STOCK', 'NOT_CANCELLABLE', 'ILLEGAL_TRANSITION', 'STALE_VERSION', 'STOCK_RESERVED'];
  expect(refusals.filter((code) => !understood.includes(code!))).toEqual([]);
  await expectNoFaults();
}, 120_000);
