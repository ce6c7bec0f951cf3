import type { IncomingMessage, Server as HttpServer } from 'node:http';
import type { Duplex } from 'node:stream';
import { CloseCode, handleProtocols, type Server as GraphqlSockets } from 'graphql-ws';
import { WebSocketServer, type WebSocket } from 'ws';
import type { Log } from '../base/log.ts';
import { createPlaces } from '../base/quota.ts';

/** What a protocol handler knows of the socket it serves. */
export interface SocketExtra {
  socket: WebSocket;
  request: IncomingMessage;
}

interface SocketServerOptions {
  server: HttpServer;
  path: string;
  protocol: GraphqlSockets<SocketExtra>;
  /** Largest message in bytes; a larger one closes the socket with 1009. */
  maxPayload: number;
  /** False refuses the upgrade with 403. */
  accepts?: (request: IncomingMessage) => boolean;
  /** At most so many at a time from one address; more are refused with 429. Default: any number. */
  each?: { most: number; addressOf: (request: IncomingMessage) => string };
  log: Log;
}

export interface SocketServer {
  readonly open: ReadonlySet<WebSocket>;
  /** Says goodbye with 1001; who does not leave is cut off. */
  close(): Promise<void>;
}

/** Bytes that may wait for a slow reader before its socket is cut off. */
const MAX_BUFFERED = 1024 * 1024;
const PING_EVERY_MS = 12_000;
const GOODBYE_MS = 1_000;

/** graphql-transport-ws on the upgrade of an HTTP server. */
export function serveSockets({ server, path, protocol, maxPayload, accepts = () => true, each, log }: SocketServerOptions): SocketServer {
  const sockets = new WebSocketServer({ noServer: true, maxPayload, perMessageDeflate: false, handleProtocols });
  const alive = new WeakSet<WebSocket>();
  const places = createPlaces(each?.most ?? Number.POSITIVE_INFINITY);

  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer): void => {
    stream.on('error', (error) => log.debug({ err: error }, 'socket failed'));
    if (pathOf(request) !== path) return refuse(stream, '404 Not Found');
    if (!accepts(request)) return refuse(stream, '403 Forbidden');
    const leave = places.take(each?.addressOf(request) ?? '');
    if (!leave) return refuse(stream, '429 Too Many Requests');
    stream.once('close', leave);
    sockets.handleUpgrade(request, stream, head, (socket) => bind(socket, request));
  };

  const bind = (socket: WebSocket, request: IncomingMessage): void => {
    alive.add(socket);
    socket.on('pong', () => alive.add(socket));
    // A message over the limit or a broken frame: ws closes the socket with the fitting code by itself.
    socket.on('error', (error) => log.debug({ err: error }, 'socket failed'));
    const fail = (error: unknown): void => {
      log.error({ err: error }, 'a socket message was not handled');
      socket.close(CloseCode.InternalServerError, 'Internal server error');
    };
    const closed = protocol.opened(
      {
        protocol: socket.protocol,
        send: (text) => send(socket, text),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (handle) => socket.on('message', (data) => void handle((data as Buffer).toString()).catch(fail)),
      },
      { socket, request },
    );
    socket.once('close', (code, reason) => void closed(code, String(reason)).catch(fail));
  };

  const heartbeat = setInterval(() => {
    for (const socket of sockets.clients) {
      if (!alive.delete(socket)) socket.terminate();
      else if (socket.readyState === socket.OPEN) socket.ping();
    }
  }, PING_EVERY_MS).unref();

  server.on('upgrade', onUpgrade);
  return {
    open: sockets.clients,
    async close() {
      clearInterval(heartbeat);
      server.off('upgrade', onUpgrade);
      for (const socket of sockets.clients) socket.close(1001, 'Going away');
      const impatience = setTimeout(() => {
        for (const socket of sockets.clients) socket.terminate();
      }, GOODBYE_MS);
      await Promise.all([...sockets.clients].map(gone));
      clearTimeout(impatience);
    },
  };
}

const gone = (socket: WebSocket): Promise<void> =>
  new Promise((resolve) => (socket.readyState === socket.CLOSED ? resolve() : socket.once('close', () => resolve())));

const pathOf = ({ url = '/' }: IncomingMessage): string => url.split('?', 1)[0] ?? '/';

function refuse(stream: Duplex, status: string): void {
  stream.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}

function send(socket: WebSocket, text: string): Promise<void> {
  if (socket.readyState !== socket.OPEN) return Promise.resolve();
  if (socket.bufferedAmount > MAX_BUFFERED) {
    socket.terminate();
    return Promise.resolve();
  }
  return new Promise((resolve) => socket.send(text, () => resolve()));
}
