import { once } from 'node:events';
import { WebSocket } from 'ws';

const QUERY = 'subscription S($o: ID!) { orderStatusChanged(orderId: $o) { id status buyer { name } delivery { lat lng eta } } }';
const AT_ONCE = 100;
const PATIENCE_MS = 30_000;
const SENT_AT = '"status":"';

/** Sockets that have subscribed, each to one of so many topics. */
export interface Clients {
  /** Makes something happen, and waits until every client has heard of it; answers how long each waited, in milliseconds. */
  hear: (happen: () => Promise<unknown>) => Promise<number[]>;
  close: () => Promise<void>;
}

interface ClientsOptions {
  url: string;
  count: number;
  topics: number;
}

/** They speak the protocol by hand and look for the time in the text: what they cost is not what is measured. */
export async function connectClients({ url, count, topics }: ClientsOptions): Promise<Clients> {
  const sockets: WebSocket[] = [];
  let delays: number[] = [];
  let heard = (): void => undefined;

  const onMessage = (data: Buffer): void => {
    const text = data.toString();
    const at = text.indexOf(SENT_AT);
    if (at < 0) throw new Error(`A client was told ${text}`);
    delays.push(performance.timeOrigin + performance.now() - Number.parseFloat(text.slice(at + SENT_AT.length)));
    if (delays.length === count) heard();
  };
  async function connect(index: number): Promise<void> {
    const socket = new WebSocket(url, 'graphql-transport-ws', { perMessageDeflate: false });
    sockets.push(socket);
    await once(socket, 'open');
    socket.send('{"type":"connection_init"}');
    await once(socket, 'message');
    socket.on('message', onMessage);
    const payload = { query: QUERY, operationName: 'S', variables: { o: `o${index % topics}` } };
    socket.send(JSON.stringify({ id: `c${index}`, type: 'subscribe', payload }));
  }
  for (let from = 0; from < count; from += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, index) => connect(from + index)));
  }

  return {
    async hear(happen) {
      delays = [];
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      heard = resolve;
      const impatience = setTimeout(() => reject(new Error(`Only ${delays.length} of ${count} clients heard.`)), PATIENCE_MS);
      await happen();
      await promise;
      clearTimeout(impatience);
      return delays;
    },
    async close() {
      await Promise.all(
        sockets.map((socket) => {
          socket.close();
          return once(socket, 'close');
        }),
      );
    },
  };
}
