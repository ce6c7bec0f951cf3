import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { defineWork, on, type Envelope } from './define-event.ts';
import { sealed } from './encrypted-fields.ts';

const work = defineWork('letters', z.object({ to: z.string(), token: z.string().optional() }), { sealed: ['token'] });
const letter = { to: 'ann', token: 'what opens the door' };

test('a secret of an event is sealed on its way, and open to the handler', async () => {
  const heard: unknown[] = [];
  const { run } = on(work, async (_ctx, data) => void heard.push(data));

  const travelling = sealed(work, letter);
  await run({} as never, travelling, {} as Envelope);

  expect(travelling).toEqual({ to: 'ann', token: expect.any(String) });
  expect(JSON.stringify(travelling)).not.toContain(letter.token);
  expect(heard).toEqual([letter]);
});

test('a secret that is not given is left out', () => {
  expect(sealed(work, { to: 'ann' })).toEqual({ to: 'ann' });
});
