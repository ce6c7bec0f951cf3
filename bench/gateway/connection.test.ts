import { afterEach, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { setImmediate as breathe } from 'node:timers/promises';
import { openConnection, type Connection } from './connection.ts';

let server: Server | undefined;
let connection: Connection | undefined;
afterEach(() => {
  connection?.close();
  server?.close();
});

/** A connection to a server that handles each request as given. */
async function connectedTo(onRequest: (socket: Socket) => unknown): Promise<Connection> {
  server = createServer((socket) => socket.on('data', () => void onRequest(socket)).on('error', () => undefined)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  connection = await openConnection((server.address() as { port: number }).port);
  return connection;
}

const inPieces = async (socket: Socket, pieces: string[]): Promise<void> => {
  for (const piece of pieces) {
    socket.write(piece);
    await breathe();
  }
};

test.each<[string, string[]]>([
  ['of a length that is said', ['HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"a":"b"}']],
  ['in pieces, head and body', ['HTTP/1.1 200 OK\r\nContent-Le', 'ngth: 9\r\n\r', '\n{"a":', '"b"}']],
  ['in chunks', ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{"a":\r\n4\r\n"b"}\r\n0\r\n\r\n']],
  ['in chunks that come in pieces', ['HTTP/1.1 200 OK\r\n\r\n5\r\n{"a"', ':\r\n4\r\n"b"}\r\n', '0\r\n', '\r\n']],
])('reads a response %s', async (_case, pieces) => {
  const { send } = await connectedTo((socket) => inPieces(socket, pieces));

  for (const _time of ['first', 'second']) {
    const { status, body } = await send('POST / HTTP/1.1\r\n\r\n');
    expect({ status, body: body.toString() }).toEqual({ status: 200, body: '{"a":"b"}' });
  }
});

test('rejects when the gateway closes the connection', async () => {
  const { send } = await connectedTo((socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"a"'));

  await expect(send('POST / HTTP/1.1\r\n\r\n')).rejects.toThrow('closed the connection');
});
