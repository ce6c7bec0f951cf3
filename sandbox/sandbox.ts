import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createCallbacks } from './callbacks.ts';
import { openExample } from './example/example.ts';
import { createFaults, type FaultRequest } from './faults.ts';
import { openGoogle } from './google/google.ts';
import { openMail } from './mail/mail.ts';
import { pageOf } from './page.ts';
import type { OpenThirdParty, SandboxRequest, SandboxResponse, ThirdParty } from './third-party.ts';

/*
 * Third parties that development and tests cannot reach: small servers that speak their public protocols, each in a folder, all at one port.
 * `/<name>/...` is a third party, `/control/...` asks for faults and tells what came in, `/` shows it. SMTP is at the same port.
 */

const THIRD_PARTIES: Readonly<Record<string, OpenThirdParty>> = { example: openExample, google: openGoogle, mail: openMail };

/** What a third party received. */
export interface ReceivedEntry {
  at: string;
  thirdParty: string;
  kind: string;
  summary: string;
  data?: unknown;
}

export interface Sandbox {
  /** `http://127.0.0.1:PORT`, for SANDBOX_URL. */
  url: string;
  received(thirdParty?: string): ReceivedEntry[];
  /** Asks for a fault of the next requests or callbacks. */
  fault(request: FaultRequest): void;
  /** Tells a third party what to do next. */
  control(thirdParty: string, body: unknown): unknown;
  close(): Promise<void>;
}

const MAX_RECEIVED = 500;
const MAX_BODY = 5 * 1024 * 1024;
/** Clients of HTTP speak first; those of SMTP wait for the server. */
const SILENCE_MS = 250;

export async function openSandbox({ port = 0, host = '127.0.0.1' }: { port?: number; host?: string } = {}): Promise<Sandbox> {
  const received: ReceivedEntry[] = [];
  const faults = createFaults();
  const parties = new Map<string, ThirdParty>();
  const record = (entry: Omit<ReceivedEntry, 'at'>): void => {
    received.push({ at: new Date().toISOString(), ...entry });
    if (received.length > MAX_RECEIVED) received.shift();
  };
  const callbacks = createCallbacks(faults, ({ thirdParty, url, outcome }) =>
    record({ thirdParty, kind: 'callback', summary: `sent to ${url}: ${outcome}` }),
  );

  async function control({ method = '', url = '' }: IncomingMessage, body: string): Promise<SandboxResponse> {
    const name = new URL(url, 'http://sandbox').pathname.slice('/control/'.length);
    if (name === 'received' && method === 'GET') return { json: received };
    if (name === 'received' && method === 'DELETE') return { json: received.splice(0).length };
    if (name === 'faults' && method === 'GET') return { json: faults.pending() };
    if (name === 'faults' && method === 'DELETE') return { json: faults.clear() ?? null };
    if (name === 'faults') return { json: faults.ask(JSON.parse(body) as FaultRequest) ?? null };
    return { json: (await parties.get(name)?.control?.(JSON.parse(body))) ?? null };
  }

  async function party(name: string, request: SandboxRequest, response: ServerResponse): Promise<void> {
    const found = parties.get(name);
    if (!found?.handle) return send(response, { status: 404, json: { error: `There is no third party ${name} that speaks HTTP.` } });
    const fault = faults.take(name, ['500', 'late', 'lost-answer', 'forged'], `${request.method} ${request.path}`);
    if (fault?.kind === '500') return send(response, { status: 500, json: { error: 'A fault that was asked for.' } });
    const answered = await found.handle({ ...request, isForged: fault?.kind === 'forged' });
    if (fault) await delay(fault.kind === 'forged' ? 0 : fault.afterMs, undefined, { ref: false });
    if (fault?.kind === 'lost-answer') return void response.destroy();
    send(response, answered);
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://sandbox');
    const body = await readText(request);
    if (url.pathname === '/')
      return send(response, { headers: { 'content-type': 'text/html; charset=utf-8' }, text: pageOf(received, faults.pending()) });
    if (url.pathname.startsWith('/control/')) return send(response, await control(request, body));
    const [, name = '', ...rest] = url.pathname.split('/');
    const { method = 'GET', headers } = request;
    await party(name, { method, path: `/${rest.join('/')}`, query: url.searchParams, headers, body, isForged: false }, response);
  }

  const http = createHttpServer((request, response) => {
    answer(request, response).catch((error: Error) => send(response, { status: 400, json: { error: error.message } }));
  });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    const begin = (chunk: Buffer): void => {
      clearTimeout(timer);
      socket.pause();
      socket.unshift(chunk);
      http.emit('connection', socket);
      process.nextTick(() => socket.resume());
    };
    const timer = setTimeout(() => {
      socket.off('data', begin);
      socket.pause();
      parties.get('mail')!.connect!(socket);
    }, SILENCE_MS);
    socket.once('data', begin);
    socket.once('close', () => clearTimeout(timer));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  const url = `http://${host}:${(server.address() as AddressInfo).port}`;
  for (const [name, open] of Object.entries(THIRD_PARTIES)) {
    parties.set(
      name,
      open({
        url: `${url}/${name}`,
        record: (entry) => record({ thirdParty: name, ...entry }),
        callback: (callback) => callbacks.callback(name, callback),
        takeFault: (...kinds) => faults.take(name, kinds),
      }),
    );
  }
  return {
    url,
    received: (thirdParty) => received.filter((entry) => thirdParty === undefined || entry.thirdParty === thirdParty),
    fault: faults.ask,
    control: (thirdParty, body) => parties.get(thirdParty)?.control?.(body),
    async close() {
      callbacks.close();
      for (const each of parties.values()) each.close?.();
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

async function readText(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MAX_BODY) throw new Error('The body is too large.');
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function send(response: ServerResponse, { status = 200, headers = {}, json, text }: SandboxResponse): void {
  if (response.destroyed) return;
  response.writeHead(status, { ...(text === undefined && { 'content-type': 'application/json' }), ...headers });
  response.end(text ?? JSON.stringify(json ?? null));
}
