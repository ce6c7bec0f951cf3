import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { exampleSignature } from './example/example.ts';
import { openSandbox, type Sandbox } from './sandbox.ts';

let sandbox: Sandbox;
let server: Server;
let notifyUrl: string;
const told: { body: string; isSigned: boolean }[] = [];
beforeAll(async () => {
  sandbox = await openSandbox();
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => (body += String(part)));
    request.on('end', () => {
      told.push({ body, isSigned: request.headers['x-signature'] === exampleSignature(body) });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  notifyUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await sandbox.close();
});
beforeEach(() => void (told.length = 0));

const send = (ownId: string) =>
  fetch(`${sandbox.url}/example/letters`, { method: 'POST', body: JSON.stringify({ ownId, pages: 1, notifyUrl }) });
const ids = () => told.map(({ body }) => (JSON.parse(body) as { ownId: string }).ownId);
const ask = (fault: object) => fetch(`${sandbox.url}/control/faults`, { method: 'POST', body: JSON.stringify(fault) });

async function until(isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 10_000; !isSo(); await delay(10)) if (Date.now() > end) throw new Error('It did not come to that.');
}

test('sends a callback as it is, twice, out of order, late and forged, as it is asked', async () => {
  await send('plain');
  await until(() => told.length === 1);
  expect(told[0]!.isSigned).toBe(true);

  await ask({ thirdParty: 'example', kind: 'twice' });
  await send('twice');
  await until(() => told.length === 3);
  await ask({ thirdParty: 'example', kind: 'out-of-order' });
  await send('first');
  await send('second');
  await until(() => told.length === 5);
  await send('after');
  await until(() => told.length === 6);

  await ask({ thirdParty: 'example', kind: 'late', afterMs: 200, request: 'callback' });
  await send('late');
  await send('soon');
  await until(() => told.length === 8);
  await ask({ thirdParty: 'example', kind: 'forged', request: 'callback' });
  await send('forged');
  await until(() => told.length === 9);

  expect(ids()).toEqual(['plain', 'twice', 'twice', 'second', 'first', 'after', 'soon', 'late', 'forged']);
  expect(told.map(({ isSigned }) => isSigned)).toEqual([...Array(8).fill(true), false]);
});

test.each([
  ['500', 500, 0],
  ['lost-answer', 'no answer', 1],
  ['late', 201, 1],
])('gives the fault %s to one request', async (kind, outcome, effects) => {
  await ask({ thirdParty: 'example', kind, afterMs: 20, request: 'POST /letters' });
  const of = (ownId: string) => sandbox.received('example').filter(({ data }) => (data as { ownId: string } | undefined)?.ownId === ownId);

  const status = await send(`fault ${kind}`).then(
    (response) => response.status,
    () => 'no answer',
  );

  expect([status, of(`fault ${kind}`).length]).toEqual([outcome, effects]);
  expect((await send(`after ${kind}`)).status).toBe(201);
});

test('shows what came in, escaped, and refuses faults that it does not know', async () => {
  await send('<script>alert(1)</script>');
  const page = await (await fetch(sandbox.url)).text();

  expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(page).not.toContain('<script>alert');
  expect((await ask({ thirdParty: 'example', kind: 'magic' })).status).toBe(400);
  expect(await (await fetch(`${sandbox.url}/control/received`)).json()).toEqual(sandbox.received());
});
