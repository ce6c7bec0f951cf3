import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import { dataFolder } from '#shared/base/data-folder.ts';
import { createVisitor, type Answer, type Data, type Visitor } from './tour/client.ts';
import { ADD, BROWSE, CANCEL, FOREIGN, GOODS, LOGIN, MINE, MOVE, PLACE, RECEIVED, REGISTER, STATUS } from './tour/operations.ts';

/*
 * `npm run tour`: a day at the marketplace, played against a running endpoint by HTTP and graphql-ws like any client. Each request's gist
 * and answer are printed; anything unexpected ends it with exit code 1. `--demo FILE` names another demo.json.
 */

interface Demo {
  http: string;
  ws: string;
  users: Record<string, { email: string; password: string }>;
}

const { values: options } = parseArgs({ options: { demo: { type: 'string' } } });
const file = options.demo ?? join(dataFolder(), 'demo.json');
if (!existsSync(file)) {
  console.error('No running marketplace was found. Start one first: npm start');
  process.exit(1);
}
const demo = JSON.parse(readFileSync(file, 'utf8')) as Demo;
const visitors: Visitor[] = [];

function tell(gist: string, answer: unknown): void {
  console.log(`\n> ${gist}\n  ${JSON.stringify(answer)}`);
}

function expect(holds: boolean, what: string): void {
  if (!holds) throw new Error(`The tour found otherwise: ${what}`);
}

/** The data of an answer that must have no errors, neither at the top nor in a payload. */
function dataOf({ data, errors }: Answer): Data {
  const refused = errors ?? Object.values<Data>(data).flatMap((payload) => payload?.userErrors ?? []);
  if (refused.length > 0) throw new Error(`The tour was refused: ${JSON.stringify(refused)}`);
  return data;
}

function visit(token?: string): Visitor {
  const visitor = createVisitor(demo, token);
  visitors.push(visitor);
  return visitor;
}

async function signIn({ email, password }: { email: string; password: string }): Promise<Visitor> {
  const { login } = dataOf(await visit().ask(LOGIN, { input: { email, password } }));
  return visit(login.accessToken);
}

/** Something of a store that can be bought now. */
function pick(store: Data): { id: string; name: string } {
  for (const { name, variants } of store.products.nodes) {
    const found = variants.find(({ isForSale, stock }: Data) => isForSale && stock?.isAvailable);
    if (found) return { id: found.id, name };
  }
  throw new Error(`${store.name} has nothing to sell`);
}

async function browse(guest: Visitor): Promise<Data[]> {
  const browsed = dataOf(await guest.ask(BROWSE, { first: 3 }));
  tell('A guest looks around: products with vendor, categories and stock in one request', browsed.products);
  expect(browsed.products.nodes.length === 3 && browsed.categoryTree.length > 0, 'products and categories');
  const stores: Data[] = [];
  for (const vendor of ['tiyende-grocers', 'dimba-fresh']) stores.push(dataOf(await guest.ask(GOODS, { vendor })).vendorBySlug);
  return stores;
}

async function register(guest: Visitor): Promise<Visitor> {
  const account = { email: `visitor-${randomUUID().slice(0, 8)}@soko.example`, password: `Lusaka-${randomUUID()}` };
  const { register: registered } = dataOf(await guest.ask(REGISTER, { input: { ...account, name: 'Tour Visitor' } }));
  tell(`Registers as ${account.email}`, registered);
  const buyer = await signIn(account);
  tell('Signs in', 'an access token for 15 minutes');
  return buyer;
}

const ADDRESS = { recipient: 'Tour Visitor', phone: '+260971234567', line1: 'Plot 5, Great East Road', city: 'Lusaka', country: 'ZM' };

async function order(buyer: Visitor, stores: Data[]): Promise<{ placed: Data; input: Record<string, unknown> }> {
  const [food, tools] = await Promise.all([signIn(demo.users['vendor1']!), signIn(demo.users['vendor2']!)]);
  const arrivals = [food, tools].map((vendor, index) => vendor.watch(RECEIVED, { vendorId: stores[index].id }));
  const mine = buyer.watch(MINE);
  const waiting = [mine, ...arrivals].map((stream) => stream.next());
  for (const store of stores) {
    const { id, name } = pick(store);
    const { addToCart } = dataOf(await buyer.ask(ADD, { input: { variantId: id, quantity: 2 } }));
    tell(`Puts 2 × ${name} of ${store.name} into the cart`, addToCart.cart);
  }
  const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: randomUUID() };
  const placed = dataOf(await buyer.ask(PLACE, { input })).placeOrder.order;
  tell('Places the order', placed);
  expect(placed.status === 'CONFIRMED' && placed.vendorOrders.length === 2, 'a confirmed order of two vendors');
  const [created, ...received] = await Promise.all(waiting);
  tell('Live at the buyer', created.orderEvents);
  for (const event of received) tell('Live at a vendor', event.vendorOrderReceived.vendorOrder);
  expect(created.orderEvents.kind === 'CREATED' && created.orderEvents.order.id === placed.id, 'the order live at the buyer');
  for (const stream of [mine, ...arrivals]) stream.end();
  return { placed, input };
}

async function follow(buyer: Visitor, placed: Data): Promise<void> {
  const vendor = await signIn(demo.users['vendor1']!);
  const part = placed.vendorOrders[0];
  const live = buyer.watch(STATUS, { orderId: placed.id });
  // The stream is open once its first event is asked for.
  const next = live.next();
  await buyer.ask(FOREIGN, { id: placed.id });
  const moved = dataOf(await vendor.ask(MOVE, { input: { vendorOrderId: part.id, status: 'PROCESSING' } }));
  tell(`${part.vendor.name} begins to pack`, moved.updateVendorOrderStatus);
  const event = (await next).orderStatusChanged;
  tell('Live at the buyer', event);
  expect(event.newStatus === 'PROCESSING', 'the new status live at the buyer');
  live.end();
}

async function replay(buyer: Visitor, { placed, input }: { placed: Data; input: Record<string, unknown> }): Promise<void> {
  const again = dataOf(await buyer.ask(PLACE, { input })).placeOrder.order;
  tell('Sends the same order again (same idempotency key)', { id: again.id, same: again.id === placed.id });
  expect(isDeepStrictEqual(again.id, placed.id), 'the same order for the same key');
  const other = await buyer.ask(PLACE, { input: { ...input, note: 'Another input.' } });
  tell('The same key with other input is refused', other.data.placeOrder.userErrors);
  expect(other.data.placeOrder.userErrors[0]?.code === 'IDEMPOTENCY_KEY_REUSED', 'a reused key refused');
}

async function refusals(guest: Visitor, buyer: Visitor, placed: Data): Promise<void> {
  const anonymous = await guest.ask(FOREIGN, { id: placed.id });
  tell('A guest asks for the order', anonymous.errors);
  expect(anonymous.errors?.[0]?.extensions['code'] === 'UNAUTHENTICATED', 'a guest refused');
  const stranger = await signIn(demo.users['buyer2']!);
  const foreign = dataOf(await stranger.ask(FOREIGN, { id: placed.id }));
  tell('Another buyer asks for the order', foreign);
  expect(foreign.order === null, 'nothing of others’ orders');
  const late = await buyer.ask(CANCEL, { input: { orderId: placed.id } });
  tell('The buyer cancels while a part is being packed', late.data.cancelOrder.userErrors);
  expect(late.data.cancelOrder.userErrors[0]?.code === 'NOT_CANCELLABLE', 'too late to cancel');
}

async function cancel(buyer: Visitor, store: Data): Promise<void> {
  const { id, name } = pick(store);
  dataOf(await buyer.ask(ADD, { input: { variantId: id, quantity: 1 } }));
  const input = { paymentMethod: 'CASH_ON_DELIVERY', address: ADDRESS, idempotencyKey: randomUUID() };
  const { order: second } = dataOf(await buyer.ask(PLACE, { input })).placeOrder;
  const cancelled = dataOf(await buyer.ask(CANCEL, { input: { orderId: second.id, reason: 'Found it at home.' } })).cancelOrder;
  tell(`Orders ${name}, and cancels in time`, cancelled);
  expect(cancelled.order.status === 'CANCELLED', 'a cancelled order');
}

try {
  const guest = visit();
  const stores = await browse(guest);
  const buyer = await register(guest);
  const ordered = await order(buyer, stores);
  await follow(buyer, ordered.placed);
  await replay(buyer, ordered);
  await refusals(guest, buyer, ordered.placed);
  await cancel(buyer, stores[1]);
  console.log('\nThe day is over; everything was as it should be.');
} finally {
  await Promise.all(visitors.map((visitor) => visitor.leave()));
}
