import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { defineJob, handleJob, type JobRun } from './define-job.ts';
import { encryptFields } from './encrypted-fields.ts';

const work = defineJob('letters', { payload: z.object({ to: z.string(), token: z.string().optional() }), encrypted: ['token'] });
const letter = { to: 'ann', token: 'what opens the door' };

test('a secret field travels encrypted and reaches the handler in plain text', async () => {
  const heard: unknown[] = [];
  const { run } = handleJob(work, async (_ctx, data) => void heard.push(data));

  const travelling = encryptFields(work, letter);
  await run({} as never, travelling, {} as JobRun);

  expect(travelling).toEqual({ to: 'ann', token: expect.any(String) });
  expect(JSON.stringify(travelling)).not.toContain(letter.token);
  expect(heard).toEqual([letter]);
});

test('a secret that is not given is left out', () => {
  expect(encryptFields(work, { to: 'ann' })).toEqual({ to: 'ann' });
});
