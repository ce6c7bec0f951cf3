import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { extendReservation, restockReservation } from './contract.ts';
import { codeOf, ledgerProblems, openShop, type Shop } from './testing/shop.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});
afterAll(() => shop.app.close());

const STOCK = 6;
const REFERENCES = 3;

/** What a reservation is, thought of as simply as can be. */
interface Hold {
  state: 'HELD' | 'COMMITTED' | 'ENDED';
  quantity: number;
  returned: number;
  returnIds: Set<number>;
  until: number;
}

/** The promises of the commands in a few lines: one variant, no store, no concurrency. */
class Model {
  onHand = STOCK;
  now = 0;
  holds = new Map<number, Hold>();

  private alive = (hold: Hold | undefined): hold is Hold => hold?.state === 'HELD' && hold.until > this.now;
  held = () => [...this.holds.values()].filter(this.alive).reduce((sum, { quantity }) => sum + quantity, 0);

  reserve(ref: number, quantity: number, seconds: number): string {
    const known = this.holds.get(ref);
    if (known && known.state !== 'COMMITTED' && !this.alive(known)) return 'RESERVATION_ENDED';
    if (known) return known.quantity === quantity ? 'ok' : 'RESERVATION_DIFFERS';
    if (this.onHand - this.held() < quantity) return 'INSUFFICIENT_STOCK';
    this.holds.set(ref, { state: 'HELD', quantity, returned: 0, returnIds: new Set(), until: this.now + seconds });
    return 'ok';
  }
  commit(ref: number): string {
    const hold = this.holds.get(ref);
    if (hold?.state === 'COMMITTED') return 'ok';
    if (!this.alive(hold)) return 'RESERVATION_ENDED';
    Object.assign(hold, { state: 'COMMITTED' });
    this.onHand -= hold.quantity;
    return 'ok';
  }
  extend(ref: number, seconds: number): string {
    const hold = this.holds.get(ref);
    if (!this.alive(hold)) return 'RESERVATION_ENDED';
    hold.until = Math.max(hold.until, this.now + seconds);
    return 'ok';
  }
  release(ref: number): string {
    const hold = this.holds.get(ref);
    if (hold?.state === 'COMMITTED') this.onHand += hold.quantity - hold.returned;
    this.holds.set(ref, { ...(hold ?? { quantity: 0, returned: 0, returnIds: new Set(), until: 0 }), state: 'ENDED' });
    return 'ok';
  }
  restock(ref: number, returnId: number, quantity: number): string {
    const hold = this.holds.get(ref);
    if (hold?.returnIds.has(returnId)) return 'ok';
    if (hold?.state !== 'COMMITTED') return 'RESERVATION_NOT_COMMITTED';
    if (hold.returned + quantity > hold.quantity) return 'RETURN_EXCEEDS_SOLD';
    hold.returned += quantity;
    hold.returnIds.add(returnId);
    this.onHand += quantity;
    return 'ok';
  }
}

const ref = fc.nat({ max: REFERENCES - 1 });
const quantity = fc.integer({ min: 1, max: 4 });
const seconds = fc.constantFrom(60, 120);
const step = fc.oneof(
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('reserve' as const), ref, quantity, seconds }) },
  fc.record({ kind: fc.constant('commit' as const), ref }),
  fc.record({ kind: fc.constant('extend' as const), ref, seconds }),
  fc.record({ kind: fc.constant('release' as const), ref }),
  fc.record({ kind: fc.constant('restock' as const), ref, returnId: fc.nat({ max: 2 }), quantity }),
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait' as const), seconds }) },
  fc.record({ kind: fc.constant('expire' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** The same step done by the subgraph and thought of by the model. */
async function both(model: Model, each: Step, names: { cup: string; of(ref: number): string }): Promise<[string, string]> {
  const { cup, of } = names;
  if (each.kind === 'reserve') {
    const { ref: which, quantity: pieces, seconds: ttlSeconds } = each;
    return [await codeOf(shop.reserve(of(which), { [cup]: pieces }, { ttlSeconds })), model.reserve(which, pieces, ttlSeconds)];
  }
  if (each.kind === 'commit') return [await codeOf(shop.commit(of(each.ref))), model.commit(each.ref)];
  if (each.kind === 'release') return [await codeOf(shop.release(of(each.ref))), model.release(each.ref)];
  if (each.kind === 'extend') {
    const asked = shop.app.call(extendReservation, { reference: of(each.ref), ttlSeconds: each.seconds });
    return [await codeOf(asked), model.extend(each.ref, each.seconds)];
  }
  if (each.kind === 'restock') {
    const lines = [{ variantId: cup, quantity: each.quantity }];
    const asked = shop.app.call(restockReservation, { reference: of(each.ref), returnId: `ret_${each.returnId}`, lines, reason: '' });
    return [await codeOf(asked), model.restock(each.ref, each.returnId, each.quantity)];
  }
  if (each.kind === 'expire') return [await codeOf(shop.app.runJob('expire-reservations')), 'ok'];
  // Half a second more than whole ones: the time the steps take themselves decides nothing.
  shop.app.clock.advance(each.seconds * 1_000);
  model.now += each.seconds + 0.5;
  return ['ok', 'ok'];
}

test('any sequence of commands gives the answers and the balances its promises give', async () => {
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  console.info(`seed ${seed}`);
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      const model = new Model();
      const cup = await shop.stocked(STOCK);
      const references = Array.from({ length: REFERENCES }, () => shop.reference());
      const names = { cup, of: (which: number) => references[which]! };

      for (const each of steps) {
        const [answered, expected] = await both(model, each, names);
        expect([each.kind, answered]).toEqual([each.kind, expected]);
      }

      await shop.app.runJob('expire-reservations');
      expect(await shop.item(cup)).toMatchObject({ onHand: model.onHand, reserved: model.held() });
    }),
    { numRuns: 25, seed, endOnFailure: true },
  );
  expect(await ledgerProblems(shop.ctx())).toEqual([]);
}, 180_000);
