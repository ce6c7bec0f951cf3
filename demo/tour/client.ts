import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';

// oxlint-disable-next-line typescript/no-explicit-any -- whoever asks knows what comes back
export type Data = any;

export interface Answer {
  data: Data;
  errors: { message: string; path?: (string | number)[]; extensions: Record<string, Data> }[] | undefined;
}

/** One visitor of the marketplace: a browser, an app or a till, with or without an access token. */
export interface Visitor {
  ask(query: string, variables?: Record<string, unknown>): Promise<Answer>;
  /** Opens a live stream; `next` waits for the next event. */
  watch(query: string, variables?: Record<string, unknown>): Stream;
  leave(): Promise<void>;
}

export interface Stream {
  next(): Promise<Data>;
  end(): void;
}

const PATIENCE_MS = 20_000;

export function createVisitor({ http, ws }: { http: string; ws: string }, token?: string): Visitor {
  const authorization = token && `Bearer ${token}`;
  const client = createClient({ url: ws, webSocketImpl: WebSocket, lazy: true, connectionParams: authorization ? { authorization } : {} });
  return {
    async ask(query, variables) {
      const headers = { 'content-type': 'application/json', ...(authorization && { authorization }) };
      const response = await fetch(http, { method: 'POST', headers, body: JSON.stringify({ query, variables }) });
      return (await response.json()) as Answer;
    },
    watch(query, variables) {
      const events = client.iterate({ query, variables });
      return {
        next: () =>
          within(
            PATIENCE_MS,
            events.next().then(({ value }) => eventOf(value as unknown as Answer)),
          ),
        end: () => void events.return?.(),
      };
    },
    leave: async () => client.dispose(),
  };
}

function eventOf({ data, errors }: Answer): Data {
  if (errors) throw new Error(`The stream was refused: ${JSON.stringify(errors)}`);
  return data;
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`Nothing came within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}
