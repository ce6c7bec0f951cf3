import { openConnection, type Connection } from './connection.ts';

/** One request that is sent repeatedly, and the length of its response. */
export interface LoadRequest {
  body: string;
  responseBytes: number;
}

export interface Load {
  port: number;
  requests: readonly LoadRequest[];
  connections: number;
  seconds: number;
}

export interface Loaded {
  requests: number;
  seconds: number;
  p99Ms: number;
}

let sent = 0;

/** Each request has its own authorization header, like the requests of different users. */
export function requestText(port: number, body: string): string {
  sent += 1;
  const length = Buffer.byteLength(body);
  return `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer caller-${sent}\r\naccept: application/json\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;
}

/** Keeps every connection busy for the time, then waits for requests in flight. Throws on the first unexpected response. */
export async function load({ port, requests, connections, seconds }: Load): Promise<Loaded> {
  const open = await Promise.all(Array.from({ length: connections }, () => openConnection(port)));
  const latencies: number[] = [];
  const since = performance.now();
  const until = since + seconds * 1_000;
  let next = 0;
  const keepBusy = async (connection: Connection): Promise<void> => {
    while (performance.now() < until) {
      const { body, responseBytes } = requests[next++ % requests.length]!;
      const sent = performance.now();
      const response = await connection.send(requestText(port, body));
      latencies.push(performance.now() - sent);
      if (response.status !== 200 || response.body.length !== responseBytes)
        throw new Error(`Under load the response became ${response.status} ${response.body.subarray(0, 500).toString()}`);
    }
  };
  try {
    await Promise.all(open.map(keepBusy));
  } finally {
    for (const connection of open) connection.close();
  }
  const took = (performance.now() - since) / 1_000;
  latencies.sort((a, b) => a - b);
  return { requests: latencies.length, seconds: took, p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0 };
}
