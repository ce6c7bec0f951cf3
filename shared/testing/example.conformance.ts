import { deepEqual, equal } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { defineConformance } from '../providers/conformance.ts';
import { defineProvider } from '../providers/define-provider.ts';
import { effectCall } from '../providers/effect.ts';

/* The provider of the kit's own tests, and what a new one may begin from: letters at the sandbox's third party `example`. */

const Letter = z.object({ id: z.string(), ownId: z.string(), pages: z.number() });

export const example = defineProvider('example', {
  settings: z.object({ EXAMPLE_URL: z.url() }),
  sandbox: { EXAMPLE_URL: '/example' },
  http: { timeoutMs: 2_000, retry: { attempts: 2 }, redact: ['ownId'] },
  open: ({ settings: { EXAMPLE_URL }, http }) => ({
    post: effectCall({
      effect: true,
      async send(ownId: string, { pages }: { pages: number }) {
        const response = await http.request({ name: 'post', method: 'POST', url: `${EXAMPLE_URL}/letters`, body: { ownId, pages } });
        return response.json(Letter);
      },
      async find(ownId: string) {
        const url = `${EXAMPLE_URL}/letters?${new URLSearchParams({ ownId })}`;
        const [letter] = (await http.request({ name: 'find', url })).json(z.array(Letter));
        return letter ?? null;
      },
    }),
  }),
});

export const conformance = defineConformance(example, {
  cases: [
    {
      title: 'sends once for each of our ids',
      async run({ post }) {
        const ownId = randomUUID();
        const first = await post(ownId, { pages: 5 });
        deepEqual(await post(ownId, { pages: 5 }), first);
        equal((await post(randomUUID(), { pages: 5 })).id === first.id, false);
      },
    },
  ],
  sandboxCases: [
    {
      title: 'finds a letter whose answer was lost',
      async run({ post }, sandbox) {
        const ownId = randomUUID();
        sandbox.fault({ thirdParty: 'example', kind: 'lost-answer', request: 'POST /letters' });
        equal((await post(ownId, { pages: 7 })).ownId, ownId);
        equal(sandbox.received('example').filter(({ data }) => (data as { ownId: string }).ownId === ownId).length, 1);
      },
    },
  ],
  effects: {
    post: {
      call: ({ post }) => post,
      input: { pages: 12 },
      thirdParty: 'example',
      request: 'POST /letters',
      isEffect: ({ kind, data }, ownId) => kind === 'letter' && (data as { ownId: string }).ownId === ownId,
    },
  },
});
