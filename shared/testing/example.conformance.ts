import { deepEqual, equal } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { defineConformance } from '../providers/conformance.ts';
import { defineProvider } from '../providers/define-provider.ts';
import { effectCall } from '../providers/effect.ts';

/* The provider of the kit's own tests, and what a new one may begin from: payments at the sandbox's third party `example`. */

const Payment = z.object({ id: z.string(), ownId: z.string(), amount: z.number() });

export const example = defineProvider('example', {
  settings: z.object({ EXAMPLE_URL: z.url() }),
  sandbox: { EXAMPLE_URL: '/example' },
  http: { timeoutMs: 2_000, retry: { attempts: 2 }, redact: ['ownId'] },
  open: ({ settings: { EXAMPLE_URL }, http }) => ({
    pay: effectCall({
      effect: true,
      async send(ownId: string, { amount }: { amount: number }) {
        const response = await http.request({ name: 'pay', method: 'POST', url: `${EXAMPLE_URL}/payments`, body: { ownId, amount } });
        return response.json(Payment);
      },
      async find(ownId: string) {
        const url = `${EXAMPLE_URL}/payments?${new URLSearchParams({ ownId })}`;
        const [payment] = (await http.request({ name: 'find', url })).json(z.array(Payment));
        return payment ?? null;
      },
    }),
  }),
});

export const conformance = defineConformance(example, {
  cases: [
    {
      title: 'pays once for each of our ids',
      async run({ pay }) {
        const ownId = randomUUID();
        const first = await pay(ownId, { amount: 5 });
        deepEqual(await pay(ownId, { amount: 5 }), first);
        equal((await pay(randomUUID(), { amount: 5 })).id === first.id, false);
      },
    },
  ],
  sandboxCases: [
    {
      title: 'finds a payment whose answer was lost',
      async run({ pay }, sandbox) {
        const ownId = randomUUID();
        sandbox.fault({ thirdParty: 'example', kind: 'lost-answer', request: 'POST /payments' });
        equal((await pay(ownId, { amount: 7 })).ownId, ownId);
        equal(sandbox.received('example').filter(({ data }) => (data as { ownId: string }).ownId === ownId).length, 1);
      },
    },
  ],
  effects: {
    pay: {
      call: ({ pay }) => pay,
      input: { amount: 12 },
      thirdParty: 'example',
      request: 'POST /payments',
      isEffect: ({ kind, data }, ownId) => kind === 'payment' && (data as { ownId: string }).ownId === ownId,
    },
  },
});
