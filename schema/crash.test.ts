import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { checkout } from '../subgraphs/orders/checkout.ts';
import { settings as inventory } from '../subgraphs/inventory/settings.ts';
import { openCrashing, type Crashing } from './market/test-crashing.ts';
import { Died } from './market/test-child.ts';
import { newKey, type Data } from './market/test-door.ts';
import { openChance } from './market/test-seed.ts';

/** An order must be final this long after the restart, at the latest. */
const FINAL_MS = 60_000;
/** A queue gives the job of a dead worker to another one after its lock has run out and two looks around. */
const SETTLED_MS = 30_000;
const KILLS = 5;

let crashing: Crashing;
let buyers = 0;
const waits: number[] = [];
const since = performance.now();

beforeAll(async () => {
  crashing = await openCrashing();
}, 60_000);
afterAll(async () => {
  console.info(
    `longest wait for a final order after a restart: ${Math.round(Math.max(...waits))} ms of ${waits.length}; all in ${Math.round((performance.now() - since) / 1000)} s`,
  );
  await crashing?.close();
});

interface Client {
  buyerId: string;
  key: string;
}

const newClient = (): Client => ({ buyerId: `usr_unlucky_${(buyers += 1)}`, key: newKey() });
const ordersOf = ({ buyerId }: Client): Promise<number> => crashing.db('orders').collection('orders').countDocuments({ buyerId });

/** A client with two vendors' goods in its cart. */
async function withCart(pieces = 1): Promise<Client> {
  const client = newClient();
  const { meal, dress } = crashing.market.goods;
  await crashing.child().call('fill', client.buyerId, { [meal]: pieces, [dress]: 2 });
  return client;
}

/** Orders, and the process dies of it. */
async function orderInto(place: string, { buyerId, key }: Client): Promise<void> {
  await crashing.child().call('crashAt', place);
  await expect(crashing.child().call('order', buyerId, key)).rejects.toThrow(Died);
  await crashing.child().died();
}

/** The process that goes on after a crash, and is not killed itself. */
async function restartForGood(clients: Client[]): Promise<Data[]> {
  await crashing.restart();
  return restartedForGood(clients);
}

/** Every client repeats its request and gets the final answer. */
async function restartedForGood(clients: Client[]): Promise<Data[]> {
  const begun = performance.now();
  const answers = await Promise.all(clients.map(({ buyerId, key }) => crashing.child().call('orderUntilAnswered', buyerId, key)));
  waits.push(performance.now() - begun);
  expect(waits.at(-1)).toBeLessThan(FINAL_MS);
  expect(await crashing.openSagas()).toBe(0);
  return answers;
}

async function expectOneOrder(client: Client, { order, userErrors }: Data): Promise<void> {
  expect(userErrors).toEqual([]);
  expect(order.status).toBe('CONFIRMED');
  const { order: again } = await crashing.child().call('order', client.buyerId, client.key);
  expect(again.id).toBe(order.id);
  expect(await ordersOf(client)).toBe(1);
}

const places = checkout.steps.flatMap((step) =>
  (['before', 'after'] as const).map((side) => ({
    place: `checkout.${step.name}:${side}`,
    // A local step and its progress are one transaction: what comes after it never comes again for the same order.
    comesAgain: !(side === 'after' && step.kind === 'step' && step.local),
  })),
);

describe('killed twice in a row', () => {
  test.each(places)(
    'at $place, the order is confirmed once, and the repeated request gets it',
    async ({ place, comesAgain }) => {
      const clients = [await withCart()];
      await orderInto(place, clients[0]!);

      await crashing.restart({ crashAt: place });
      if (!comesAgain) {
        clients.push(await withCart());
        await orderInto(place, clients[1]!);
      }
      await crashing.child().died();

      const answers = await restartForGood(clients);
      for (const [index, client] of clients.entries()) await expectOneOrder(client, answers[index]);
    },
    120_000,
  );

  const turned = ['validate', 'reserve'].flatMap((step) => [`checkout.${step}:undo-before`, `checkout.${step}:undo-after`]);
  test.each(turned)(
    'at %s, an order without stock is refused once and for all',
    async (place) => {
      const client = newClient();
      const { meal, pot } = crashing.market.goods;
      await crashing.child().call('fill', client.buyerId, { [meal]: 1, [pot]: 1 });
      await orderInto(place, client);

      await crashing.restart({ crashAt: place });
      await crashing.child().died();

      const [answer] = await restartForGood([client]);
      expect(answer).toMatchObject({ order: null, userErrors: [{ code: 'INSUFFICIENT_STOCK', variantId: pot }] });
      expect(await ordersOf(client)).toBe(0);
    },
    120_000,
  );

  test.each([
    ['checkout.create:undo-before', 'checkout.create:undo-before'],
    // Undoing it is one transaction with its progress, so the next thing to be undone is where it can die again.
    ['checkout.create:undo-after', 'checkout.reserve:undo-before'],
  ])(
    'at %s and %s, an order whose hold ran out is cancelled',
    async (first, second) => {
      const client = await withCart();
      await orderInto('checkout.pay:after', client);
      const aheadMs = (inventory.reservationSeconds.default + 60) * 1_000;

      await crashing.restart({ crashAt: first, aheadMs });
      await crashing.child().died();
      await crashing.restart({ crashAt: second, aheadMs });
      await crashing.child().died();

      const [answer] = await restartForGood([client]);
      const [turnedBack, ...more] = await crashing
        .db('orders')
        .collection('orders')
        .find({ buyerId: client.buyerId })
        .sort({ _id: 1 })
        .toArray();
      expect(turnedBack).toMatchObject({ status: 'CANCELLED' });
      // Whoever repeats the request while it turns back is told why; once it has, the same request is a new attempt.
      if (answer.order) expect(more).toMatchObject([{ _id: answer.order.id, status: 'CONFIRMED' }]);
      else expect([answer.userErrors, more]).toMatchObject([[{ code: 'RESERVATION_ENDED' }], []]);
    },
    120_000,
  );
});

test('killed at random moments while five buyers order and cancel, no answer that was given is taken back', async () => {
  const chance = openChance();
  console.info(`seed of the kills: ${chance.seed}`);
  const { meal, dress, oil } = crashing.market.goods;
  const acknowledged: { client: Client; id: string }[] = [];
  /** What each buyer was waiting for when the process died. */
  const unanswered = new Map<number, Client>();

  const buy = async (buyer: number): Promise<void> => {
    const child = crashing.child();
    for (;;) {
      let client = unanswered.get(buyer);
      if (!client) {
        client = newClient();
        await child.call('fill', client.buyerId, { [chance.pick([meal, oil])]: chance.between(1, 3), [dress]: 1 });
        unanswered.set(buyer, client);
      }
      const { order, userErrors } = await child.call('orderUntilAnswered', client.buyerId, client.key);
      expect(userErrors).toEqual([]);
      unanswered.delete(buyer);
      acknowledged.push({ client, id: order.id });
      if (chance.next() < 0.3) await child.call('cancel', client.buyerId, order.id);
    }
  };

  for (let round = 0; round < KILLS; round += 1) {
    const buying = Promise.allSettled(Array.from({ length: 5 }, (_, buyer) => buy(buyer)));
    await new Promise((resolve) => setTimeout(resolve, chance.between(500, 3_000)));
    await crashing.child().kill();
    for (const result of await buying) expect(result).toMatchObject({ reason: expect.any(Died) });
    await crashing.restart();
  }
  await restartedForGood([...unanswered.values()]);

  console.info(`${acknowledged.length} orders were acknowledged between ${KILLS} kills`);
  for (const { client, id } of acknowledged) {
    const { order } = await crashing.child().call('order', client.buyerId, client.key);
    expect(order.id).toBe(id);
    expect(await ordersOf(client)).toBe(1);
  }
}, 180_000);

test('after all of this no event is lost or had twice, nothing is held, and every piece of stock is accounted for', async () => {
  const took = await crashing.settled(SETTLED_MS);

  console.info(`events settled after ${Math.round(took)} ms`);
  expect(await crashing.faults()).toEqual([]);
}, 120_000);
