import type { Host } from '#shared/runtime/host.ts';
import { newId } from '#shared/base/ids.ts';
import type { Viewer } from '#shared/base/identity.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads what it asked for
export type Data = any;

/** What a buyer wants: variant and pieces. */
export type Wish = Record<string, number>;

interface Ordering {
  key?: string;
  /** Default: what somebody would write who orders to Lusaka. */
  address?: object;
}

export type Door = ReturnType<typeof createDoor>;

export const ADDRESS = {
  recipient: 'Mutale Banda',
  phone: '+260971234567',
  line1: 'Plot 12, Great East Road',
  city: 'Lusaka',
  country: 'ZM',
};

const ORDER = `id status total { amount currency } availableActions timeline { newStatus }
  vendorOrders { id status vendor { id } lines { quantity variant { id } } }`;
const FACTS = 'code message path ... on InsufficientStockError { variantId available }';
const PATIENCE_MS = 30_000;
const PAUSE_MS = 50;
const OVERLOADED_PAUSE_MS = 1_000;
/** Answers that ask for nothing but patience. */
const AGAIN = new Set(['OVERLOADED', 'IDEMPOTENCY_IN_FLIGHT', 'CHECKOUT_IN_PROGRESS', 'UNAVAILABLE', 'TIMEOUT']);

let keys = 0;
/** An idempotency key that nobody had before. */
export const newKey = (): string => `key-${process.pid}-${(keys += 1)}-${newId('k')}`;

/** The subgraphs of a host as the gateway would ask them, without the gateway: what most tests of the market begin with. */
export function createDoor({ runtimes }: Pick<Host, 'runtimes'>) {
  async function ask(subgraph: string, as: Viewer | null, query: string, variables: Record<string, unknown> = {}) {
    const request = { query, variables, identity: { issuer: 'gateway', viewer: as }, correlationId: newId('test') };
    const { data, errors } = await runtimes.get(subgraph)!.execute({ ...request, deadline: Date.now() + PATIENCE_MS });
    return { data: data as Data, errors: errors?.map(({ message, extensions }) => ({ message, ...extensions })) as Data[] | undefined };
  }

  /** The payload of a mutation, refusals included; top-level errors look like refusals. */
  async function run(subgraph: string, as: Viewer | null, mutation: string, input: object, selection: string): Promise<Data> {
    const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input!`;
    const facts = subgraph === 'orders' || subgraph === 'inventory' ? FACTS : 'code message path';
    const query = `mutation ($input: ${type}) { ${mutation}(input: $input) { ${selection} userErrors { ${facts} } } }`;
    const { data, errors } = await ask(subgraph, as, query, { input });
    return data?.[mutation] ?? { userErrors: errors };
  }

  /** The payload of a mutation that must not be refused. */
  async function done(...args: Parameters<typeof run>): Promise<Data> {
    const payload = await run(...args);
    if (payload.userErrors.length > 0) throw new Error(`${args[2]} was refused: ${JSON.stringify(payload.userErrors)}`);
    return payload;
  }

  async function fill(buyer: Viewer, wish: Wish): Promise<void> {
    for (const [variantId, quantity] of Object.entries(wish))
      await done('orders', buyer, 'addToCart', { variantId, quantity }, 'cart { id }');
  }

  const order = (buyer: Viewer, { key = newKey(), address = ADDRESS }: Ordering = {}): Promise<Data> =>
    run('orders', buyer, 'placeOrder', { paymentMethod: 'CASH_ON_DELIVERY', address, idempotencyKey: key }, `order { ${ORDER} }`);

  return {
    ask,
    run,
    done,
    /** Puts the goods into the buyer's cart. */
    fill,
    /** Orders what is in the buyer's cart; answers the payload. */
    order,
    async buy(buyer: Viewer, wish: Wish, ordering?: Ordering): Promise<Data> {
      await fill(buyer, wish);
      return order(buyer, ordering);
    },
    /** Orders like a client that does not give up: the same request under the same key until the answer is final. */
    async orderUntilAnswered(buyer: Viewer, key: string, patienceMs = 60_000): Promise<Data> {
      const until = Date.now() + patienceMs;
      for (;;) {
        const payload = await order(buyer, { key });
        const mayRepeat = ({ code, retryable }: Data): boolean => AGAIN.has(code) && retryable !== false;
        const isFinal = payload.order ? payload.order.status !== 'PENDING' : !payload.userErrors.some(mayRepeat);
        if (isFinal) return payload;
        if (Date.now() > until) throw new Error(`no final answer in ${patienceMs} ms: ${JSON.stringify(payload)}`);
        const isOverloaded = payload.userErrors.some(({ code }: Data) => code === 'OVERLOADED');
        await new Promise((resolve) => setTimeout(resolve, isOverloaded ? OVERLOADED_PAUSE_MS : PAUSE_MS));
      }
    },
    cancel: (viewer: Viewer, orderId: string): Promise<Data> => run('orders', viewer, 'cancelOrder', { orderId }, `order { ${ORDER} }`),
    move: (viewer: Viewer, vendorOrderId: string, status: string): Promise<Data> =>
      run('orders', viewer, 'updateVendorOrderStatus', { vendorOrderId, status }, 'vendorOrder { id status }'),
    /** Counts the shelf anew, or adds pieces to it. */
    adjust: (owner: Viewer, variantId: string, delta: number): Promise<Data> =>
      run(
        'inventory',
        owner,
        'adjustStock',
        { variantId, delta, reason: 'Counted', idempotencyKey: newKey() },
        'stockItem { id onHand available version }',
      ),
    stock: async (owner: Viewer, variantId: string): Promise<Data> => {
      const { data } = await ask(
        'inventory',
        owner,
        'query ($where: StockItemWhere) { stockItems(where: $where) { nodes { id onHand reserved available version } } }',
        { where: { variantId: { eq: variantId } } },
      );
      return data.stockItems.nodes[0];
    },
  };
}
