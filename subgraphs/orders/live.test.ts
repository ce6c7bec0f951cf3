import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import type { Viewer } from '#shared/base/identity.ts';
import { viewer, type Answered, type Data, type TestApp } from '#shared/testing/open.ts';
import { admin, buyer, clerk, createMarket, grocer, openOrders, placed, run, stranger, tailor } from './fixtures.ts';

const market = createMarket();
let app: TestApp;
beforeAll(async () => {
  app = await openOrders(market);
});
afterEach(() => {
  market.members = createMarket().members;
});
afterAll(() => app.close());

const STATUS =
  'subscription ($orderId: ID!, $after: Cursor) { orderStatusChanged(orderId: $orderId, after: $after) { cursor orderId newStatus previousStatus order { id status } vendorOrder { id status } } }';
const EVENTS =
  'subscription ($after: Cursor) { orderEvents(after: $after) { cursor kind newStatus vendorOrder { id status } order { id status } } }';
const RECEIVED =
  'subscription ($vendorId: ID!, $after: Cursor) { vendorOrderReceived(vendorId: $vendorId, after: $after) { cursor vendorOrder { id lines { quantity } } } }';

const CHANGED =
  'subscription ($vendorId: ID!, $after: Cursor) { vendorOrderChanged(vendorId: $vendorId, after: $after) { cursor vendorOrderId vendorOrder { id status } previousStatus newStatus reason } }';

const take = async (stream: AsyncIterableIterator<Answered>, count: number): Promise<Data[]> => {
  const taken: Data[] = [];
  while (taken.length < count) taken.push(Object.values((await stream.next()).value.data)[0]);
  return taken;
};
const partOf = (order: Data, vendorId: string): string => order.vendorOrders.find(({ vendor }: Data) => vendor.id === vendorId).id;
const move = (vendorOrderId: string, status: string, as: Viewer): Promise<Data> =>
  run(app, 'updateVendorOrderStatus', { vendorOrderId, status }, as);

test('a buyer sees an order come into being and change, and both vendors see their parts arrive', async () => {
  const mine = await app.subscribe(EVENTS);
  const food = await app.subscribe(RECEIVED, { vendorId: 'vnd_grocer' }, { as: grocer });
  const clothes = await app.subscribe(RECEIVED, { vendorId: 'vnd_tailor' }, { as: tailor });

  const order = await placed(app);

  expect((await take(mine, 4)).map(({ kind, newStatus }) => [kind, newStatus])).toEqual([
    ['CREATED', null],
    ['UPDATED', 'CONFIRMED'],
    ['UPDATED', 'CONFIRMED'],
    ['UPDATED', 'CONFIRMED'],
  ]);
  expect((await take(food, 1))[0].vendorOrder).toEqual({ id: partOf(order, 'vnd_grocer'), lines: [{ quantity: 1 }] });
  expect((await take(clothes, 1))[0].vendorOrder).toEqual({ id: partOf(order, 'vnd_tailor'), lines: [{ quantity: 2 }] });
  await run(app, 'cancelOrder', { orderId: order.id });
  const [, , last] = await take(mine, 3);
  expect(last).toMatchObject({ kind: 'CANCELLED', order: { id: order.id, status: 'CANCELLED' } });
  for (const stream of [mine, food, clothes]) await stream.return!();
});

test('an update of a part says of which part, one of the whole order of none', async () => {
  const order = await placed(app);
  const part = partOf(order, 'vnd_grocer');
  await app.settled();
  const mine = await app.subscribe(EVENTS);

  await move(part, 'PROCESSING', grocer);
  await move(partOf(order, 'vnd_tailor'), 'PROCESSING', tailor);
  const [own, , whole] = await take(mine, 3);

  expect(own).toMatchObject({ kind: 'UPDATED', newStatus: 'PROCESSING', vendorOrder: { id: part, status: 'PROCESSING' } });
  expect(whole).toMatchObject({ kind: 'UPDATED', newStatus: 'PROCESSING', vendorOrder: null, order: { status: 'PROCESSING' } });
  await mine.return!();
});

test('a subscriber that is cut off at random points sees every change once, in order', async () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  console.info(`seed ${seed}`);
  let state = seed;
  const random = (below: number): number => (state = (state * 48_271 + 1) % 2_147_483_647) % below;
  const order = await placed(app);
  await app.settled();
  const first = await app.subscribe(STATUS, { orderId: order.id });
  const steps: [string, Viewer, string][] = ['PROCESSING', 'SHIPPED', 'DELIVERED'].flatMap((status): [string, Viewer, string][] => [
    [partOf(order, 'vnd_grocer'), grocer, status],
    [partOf(order, 'vnd_tailor'), tailor, status],
  ]);
  const seen: string[] = [];
  let stream = first;
  let cursor: string | undefined;

  // Each move of a part is one event; the second of each pair moves the order as well: 9 in all.
  const moving = (async () => {
    for (const [id, as, status] of steps) await move(id, status, as);
  })();
  while (seen.length < 9) {
    for (const event of await take(stream, Math.min(1 + random(3), 9 - seen.length))) {
      seen.push(`${event.vendorOrder?.id ?? 'order'} ${event.newStatus}`);
      cursor = event.cursor;
    }
    await stream.return!();
    stream = await app.subscribe(STATUS, { orderId: order.id, after: cursor });
  }
  await moving;

  expect(seen).toEqual(
    steps.flatMap(([id, , status], index) => (index % 2 ? [`${id} ${status}`, `order ${status}`] : [`${id} ${status}`])),
  );
  await stream.return!();
});

test('a vendor hears of its own part and of the whole, not of others’ parts', async () => {
  const order = await placed(app);
  await app.settled();
  const heard = await app.subscribe(STATUS, { orderId: order.id }, { as: tailor });

  await move(partOf(order, 'vnd_grocer'), 'PROCESSING', grocer);
  await move(partOf(order, 'vnd_tailor'), 'PROCESSING', tailor);

  const [own, whole] = await take(heard, 2);
  expect(own).toMatchObject({ order: null, vendorOrder: { id: partOf(order, 'vnd_tailor'), status: 'PROCESSING' } });
  expect(whole).toMatchObject({ order: null, vendorOrder: null, newStatus: 'PROCESSING' });
  await heard.return!();
});

test('a vendor hears in one stream of every change of its parts, whoever made it, and goes on by cursor', async () => {
  const clothes = await app.subscribe(CHANGED, { vendorId: 'vnd_tailor' }, { as: tailor });
  const [one, two] = [await placed(app), await placed(app)];
  const [first, second] = [partOf(one, 'vnd_tailor'), partOf(two, 'vnd_tailor')];

  await run(app, 'cancelOrder', { orderId: one.id, reason: 'Changed my mind.' });
  await run(app, 'cancelVendorOrder', { vendorOrderId: second, reason: 'Fraud.' }, admin);
  const events = await take(clothes, 4);

  expect(events.map(({ vendorOrderId, previousStatus, newStatus, reason }) => [vendorOrderId, previousStatus, newStatus, reason])).toEqual([
    [first, 'PENDING', 'CONFIRMED', null],
    [second, 'PENDING', 'CONFIRMED', null],
    [first, 'CONFIRMED', 'CANCELLED', 'Changed my mind.'],
    [second, 'CONFIRMED', 'CANCELLED', 'Fraud.'],
  ]);
  expect(events[3].vendorOrder).toEqual({ id: second, status: 'CANCELLED' });
  const resumed = await app.subscribe(CHANGED, { vendorId: 'vnd_tailor', after: events[2].cursor }, { as: clerk });
  expect(await take(resumed, 1)).toEqual([events[3]]);
  for (const stream of [clothes, resumed]) await stream.return!();
});

test('the reason of a part is not told to other vendors of the order', async () => {
  const order = await placed(app);
  await app.settled();
  const REASONS = 'subscription ($orderId: ID!) { orderStatusChanged(orderId: $orderId) { newStatus reason vendorOrder { id } } }';
  const [grocers, buyers] = await Promise.all([grocer, buyer].map((as) => app.subscribe(REASONS, { orderId: order.id }, { as })));
  const [food, clothes] = [partOf(order, 'vnd_grocer'), partOf(order, 'vnd_tailor')];

  await move(food, 'PROCESSING', grocer);
  await run(app, 'cancelVendorOrder', { vendorOrderId: clothes, reason: 'This buyer owes us money.' }, tailor);

  expect(await take(grocers!, 2)).toEqual([
    { newStatus: 'PROCESSING', reason: null, vendorOrder: { id: food } },
    { newStatus: 'PROCESSING', reason: null, vendorOrder: null },
  ]);
  expect((await take(buyers!, 3)).map(({ reason }) => reason)).toEqual([null, 'This buyer owes us money.', null]);
  for (const stream of [grocers!, buyers!]) await stream.return!();
});

test.each<[string, string, (order: Data) => Record<string, unknown>, string]>([
  ['an order', STATUS, ({ id }) => ({ orderId: id }), 'NOT_FOUND'],
  ['a vendor’s new orders', RECEIVED, () => ({ vendorId: 'vnd_tailor' }), 'FORBIDDEN'],
  ['a vendor’s dashboard', CHANGED, () => ({ vendorId: 'vnd_tailor' }), 'FORBIDDEN'],
])('the stream of %s ends for a member who is removed, at the next event', async (_case, query, variables, code) => {
  const order = await placed(app);
  await app.settled();
  const heard = await app.subscribe(query, variables(order), { as: tailor });

  market.members.delete(tailor.id);
  await run(app, 'cancelOrder', { orderId: order.id, reason: 'A secret.' });
  await placed(app);

  const { value } = await heard.next();
  expect(value).toMatchObject({ errors: [{ extensions: { code } }] });
  expect(value.data ?? null).toBeNull();
  expect((await heard.next()).done).toBe(true);
});

test.each<[string, string, (order: Data) => Record<string, unknown>, Viewer | null, string]>([
  ['a stranger to an order', STATUS, ({ id }) => ({ orderId: id }), stranger, 'NOT_FOUND'],
  ['nobody to an order', STATUS, ({ id }) => ({ orderId: id }), null, 'UNAUTHENTICATED'],
  ['who works for nobody', RECEIVED, () => ({ vendorId: 'vnd_tailor' }), stranger, 'FORBIDDEN'],
  ['another vendor to a dashboard', CHANGED, () => ({ vendorId: 'vnd_tailor' }), grocer, 'FORBIDDEN'],
  ['another vendor', RECEIVED, () => ({ vendorId: 'vnd_tailor' }), grocer, 'FORBIDDEN'],
  ['a cursor that is none', EVENTS, () => ({ after: 'garbage' }), buyer, 'INVALID_CURSOR'],
  ['an order that does not exist', STATUS, () => ({ orderId: 'ord_none' }), admin, 'NOT_FOUND'],
])('refuses %s', async (_case, query, variables, as, code) => {
  const order = await placed(app, { var_meal: 1 });

  const refused = app
    .subscribe(query, variables(order), { as })
    .then((stream) => stream.next())
    .then(
      ({ value }) => value.errors[0].extensions.code,
      (error) => error.facts.code,
    );

  expect(await refused).toBe(code);
});

test('an own stream tells nothing of others’ orders', async () => {
  const other = viewer('usr_other');
  const mine = await app.subscribe(EVENTS, {}, { as: other });
  await placed(app, { var_meal: 1 });
  await run(app, 'addToCart', { variantId: 'var_meal', quantity: 1 }, other);
  const address = { recipient: 'O', phone: '+260971234567', line1: 'x', city: 'Lusaka', country: 'ZM' };
  const { order } = await run(app, 'placeOrder', { paymentMethod: 'CASH_ON_DELIVERY', address, idempotencyKey: 'other-key-1' }, other);

  expect((await take(mine, 1))[0].order.id).toBe(order.id);
  await mine.return!();
});
