import { expect, test } from '@jest/globals';
import type { IncomingMessage } from 'node:http';
import { testSubgraphs } from '../testing/test-subgraphs.ts';
import { openGatewayForTest } from '../testing/open-gateway.ts';
import { proxyWarning, useClient } from './use-client.ts';

const request = (forwarded?: string) =>
  ({
    headers: { 'user-agent': 'test', ...(forwarded !== undefined && { 'x-forwarded-for': forwarded }) },
    socket: { remoteAddress: '10.0.0.9' },
  }) as unknown as IncomingMessage;

test.each([
  [0, '1.1.1.1', '10.0.0.9'],
  [0, undefined, '10.0.0.9'],
  [1, undefined, '10.0.0.9'],
  [1, '1.1.1.1', '1.1.1.1'],
  [1, '6.6.6.6, 1.1.1.1', '1.1.1.1'],
  [2, '6.6.6.6, 1.1.1.1, 10.0.0.2', '1.1.1.1'],
  [2, '1.1.1.1', '1.1.1.1'],
  [1, '<script>, 2001:db8::1', '2001:db8::1'],
  [1, 'unknown', '10.0.0.9'],
  [1, '9.9.9.9, 7.7.7.8:4100', '7.7.7.8'],
  [1, '9.9.9.9, [2001:db8::1]:4100', '2001:db8::1'],
  [1, '9.9.9.9, [2001:db8::1]', '2001:db8::1'],
  [1, '9.9.9.9, _hidden', '10.0.0.9'],
])('behind %i proxies, x-forwarded-for %p is the address %p', (trustedProxies, forwarded, ip) => {
  expect(useClient({ trustedProxies })(request(forwarded))).toEqual({ ip, userAgent: 'test' });
});

test('sends address and user agent to subgraphs, over HTTP and WebSocket', async () => {
  const gateway = await openGatewayForTest({ subgraphs: testSubgraphs().all, trustedProxies: 1 });

  const { data } = await gateway.ask(
    '{ client }',
    {},
    { headers: { 'user-agent': `agent ${'x'.repeat(1_000)}`, 'x-forwarded-for': '6.6.6.6, 1.2.3.4' } },
  );
  const overSocket = await gateway.subscribe('{ client }').next();

  expect(JSON.parse(data.client)).toEqual({ ip: '1.2.3.4', userAgent: expect.stringMatching(/^agent x{294}$/) });
  expect(JSON.parse(overSocket.value?.data.client)).toEqual({ ip: '127.0.0.1' });
  await gateway.close();
});

test('warns once of an untrusted proxy, on its first request', () => {
  const lines: unknown[] = [];
  const warn = proxyWarning({ warn: (line: unknown) => lines.push(line) } as never);
  let passed = 0;
  for (const forwarded of [undefined, '203.0.113.7', '203.0.113.8']) warn(request(forwarded), undefined, () => (passed += 1));

  expect(passed).toBe(3);
  expect(lines).toEqual([expect.stringContaining('TRUST_PROXY')]);
});
