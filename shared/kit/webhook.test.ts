import { afterEach, expect, test } from '@jest/globals';
import { fork, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { connectMongo } from '../store/mongo.ts';
import { signatureOf } from '../testing/fixture-subgraph/routes.ts';
import { httpTransport } from '../transport/http-transport.ts';

const PROGRAM = fileURLToPath(new URL('../testing/fixture-subgraph/serve-process.ts', import.meta.url));
const children = new Set<ChildProcess>();

async function start(run: string): Promise<{ url: string; kill(): Promise<void> }> {
  const child = fork(PROGRAM, { execArgv: [], env: { ...process.env, TEST_RUN: run, LOG_LEVEL: 'silent' } });
  children.add(child);
  const [url] = (await once(child, 'message')) as [string];
  return {
    url,
    async kill() {
      child.kill('SIGKILL');
      await once(child, 'exit');
      children.delete(child);
    },
  };
}

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
});

async function deliver(url: string, event: object): Promise<number> {
  const transport = httpTransport('boards', url);
  const text = JSON.stringify(event);
  try {
    const { status } = await transport.request!({
      method: 'POST',
      route: '/hooks/boards/:provider',
      url: '/hooks/boards/acme',
      headers: { 'x-signature': signatureOf(text) },
      body: Readable.from([Buffer.from(text)]),
      identity: { issuer: 'gateway', viewer: null },
      correlationId: 'cor_webhook_test',
      deadline: Date.now() + 20_000,
    });
    return status;
  } finally {
    await transport.close();
  }
}

test('an event that was answered has its effect once, though its process is killed during the action and the event comes again', async () => {
  const run = `t${randomBytes(6).toString('hex')}`;
  const client = await connectMongo(process.env['MONGODB_URI']!);
  const boards = client.useDb(`${run}_boards`).collection('boards');
  try {
    const first = await start(run);
    expect(await deliver(first.url, { id: 'evt_1', title: 'killed', takesMs: 2_000 })).toBe(200);
    await delay(700);
    await first.kill();
    expect(await boards.countDocuments({})).toBe(0);

    const second = await start(run);
    expect(await deliver(second.url, { id: 'evt_1', title: 'killed', takesMs: 2_000 })).toBe(200);
    for (const end = Date.now() + 45_000; (await boards.countDocuments({})) === 0; await delay(50))
      if (Date.now() > end) throw new Error('The action did not run.');
    await delay(2_500);

    expect(await boards.countDocuments({})).toBe(1);
    await second.kill();
  } finally {
    await client.useDb(`${run}_boards`).dropDatabase();
    await client.close();
  }
}, 90_000);
