import { openConnection, type Connection } from './connection.ts';

/** One request that is sent repeatedly, and the length of its response. */
export interface LoadRequest {
  body: string;
  answerBytes: number;
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

let asked = 0;

/** Each request has its own authorization header, like the requests of different users. */
export function requestText(port: number, body: string): string {
  asked += 1;
  const length = Buffer.byteLength(body);
  return `POST /graphql HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\nauthorization: Bearer caller-${asked}\r\naccept: application/json\r\ncontent-type: application/json\r\ncontent-length: ${length}\r\n\r\n${body}`;
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
      const { body, answerBytes } = requests[next++ % requests.length]!;
      const sent = performance.now();
      const answer = await connection.ask(requestText(port, body));
      latencies.push(performance.now() - sent);
      if (answer.status !== 200 || answer.body.length !== answerBytes)
        throw new Error(`Under load the answer became ${answer.status} ${answer.body.subarray(0, 500).toString()}`);
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
