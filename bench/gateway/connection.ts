import { connect, type Socket } from 'node:net';

export interface RawResponse {
  status: number;
  body: Buffer;
}

export interface Connection {
  /** One request at a time. Rejects when the server closes the connection. */
  send(request: string): Promise<RawResponse>;
  close(): void;
}

interface Waiting {
  resolve: (response: RawResponse) => void;
  reject: (error: Error) => void;
}

const HEAD_END = '\r\n\r\n';
const LAST_CHUNK = '0\r\n\r\n';

/**
 * A keep-alive HTTP/1.1 connection with as little code as possible: the load generator shares its core with the subgraphs, and an HTTP
 * client would take the CPU that keeps a fast gateway busy.
 */
export async function openConnection(port: number): Promise<Connection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  let waiting: Waiting | undefined;
  const fail = (error = new Error('The gateway closed the connection')): void => {
    waiting?.reject(error);
    waiting = undefined;
  };
  socket.on('error', fail);
  socket.on('close', () => fail());
  readResponses(socket, (response) => {
    const { resolve } = waiting!;
    waiting = undefined;
    resolve(response);
  });
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        socket.write(request, 'latin1');
      }),
    close: () => void socket.destroy(),
  };
}

function readResponses(socket: Socket, onResponse: (response: RawResponse) => void): void {
  let parts: Buffer[] = [];
  let received = 0;
  let head: Head | undefined;
  socket.on('data', (part: Buffer) => {
    parts.push(part);
    received += part.length;
    head ??= headOf(parts.length === 1 ? part : Buffer.concat(parts));
    if (!head || !isComplete(head, received, parts)) return;
    const { status, length, bytes } = head;
    const whole = (parts.length === 1 ? part : Buffer.concat(parts)).subarray(bytes);
    [parts, received, head] = [[], 0, undefined];
    onResponse({ status, body: length === undefined ? withoutChunks(whole) : whole });
  });
}

interface Head {
  status: number;
  /** Length of the body; undefined for a chunked body. */
  length: number | undefined;
  /** Length of the head. */
  bytes: number;
}

function headOf(text: Buffer): Head | undefined {
  const end = text.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = text.toString('latin1', 0, end);
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  return { status: Number(head.slice(9, 12)), length: length === undefined ? undefined : Number(length), bytes: end + HEAD_END.length };
}

/** JSON has no bare line ends, so the last chunk cannot be mistaken for content. */
const isComplete = ({ length, bytes }: Head, received: number, parts: readonly Buffer[]): boolean =>
  length === undefined
    ? Buffer.concat(parts.slice(-LAST_CHUNK.length)).subarray(-LAST_CHUNK.length).toString('latin1') === LAST_CHUNK
    : received >= bytes + length;

function withoutChunks(text: Buffer): Buffer {
  const chunks: Buffer[] = [];
  for (let at = 0; ;) {
    const end = text.indexOf('\r\n', at);
    const size = Number.parseInt(text.toString('latin1', at, end), 16);
    if (!(size > 0)) return Buffer.concat(chunks);
    chunks.push(text.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
