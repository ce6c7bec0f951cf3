import { createServer } from 'node:net';
import { once } from 'node:events';
import { expect, test } from '@jest/globals';
import { takePort } from './ports.ts';

test('gives a free port for 0, and the one that was asked for', async () => {
  const port = await takePort('0');

  expect(port).toBeGreaterThan(0);
  expect(await takePort(String(port))).toBe(port);
});

test('says in one line that a port is taken, and what to do', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };

  await expect(takePort(String(port), '127.0.0.1')).rejects.toThrow(
    `Port ${port} is in use by another program. Stop that one first, or give another: npm start -- --port 0`,
  );
  taken.close();
});

test.each(['abc', '', '-1', '80.5', '65536', '4e3'])('refuses %j as a port', async (text) => {
  await expect(takePort(text)).rejects.toThrow(`"${text}" is no port`);
});
