import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { createCache, type Cache } from './cache.ts';
import type { AnyContext } from '../kit/context.ts';
import { defineEvent } from '../kit/define-event.ts';
import { defineJob } from '../kit/define-job.ts';
import { newId } from '../base/ids.ts';
import { writeOutbox } from '../messaging/outbox.ts';
import { subgraph, type Ctx } from '../testing/fixture-subgraph/subgraph.ts';
import { open, type TestApp } from '../testing/open.ts';

/* What events say they changed is forgotten by whoever kept it. */

const Noted = z.object({ noteId: z.string() });
const tags = ({ noteId }: { noteId: string }): string[] => [`Note:${noteId}`];
const noteChanged = defineEvent('Note.Changed', Noted, { tags });
const noteWork = defineJob('note-work', { payload: Noted, tags });

let app: TestApp;
let ctx: Ctx;
let cache: Cache;
beforeAll(async () => {
  app = await open(subgraph);
  ctx = app.context() as Ctx;
  cache = createCache(ctx.redis, { prefix: `${ctx.redisPrefix}:elsewhere`, tagPrefix: ctx.redisPrefix, patienceMs: 5_000 });
});
afterAll(() => app.close());

const keep = (id: string, text: string): Promise<string> => cache.cached(`note:${id}`, 60, async () => text, { tags: [`Note:${id}`] });

/** Notes of its own for each test: the relay tells once more what a test has told already. */
async function keptNotes() {
  const [changed, other] = [newId('not'), newId('not')];
  for (const id of [changed, other]) await keep(id, 'kept');
  return { changed, read: async () => [await keep(changed, 'new'), await keep(other, 'new')] };
}

test.each([
  ['an event', (inner: AnyContext, noteId: string) => inner.publish(noteChanged({ noteId }))],
  ['a job', (inner: AnyContext, noteId: string) => inner.enqueue(noteWork({ noteId }))],
])('with %s, before whoever changed it goes on', async (_case, say) => {
  const { changed, read } = await keptNotes();

  await ctx.transaction(async (inner) => say(inner, changed));

  expect(await read()).toEqual(['new', 'kept']);
});

test('when the event leaves, although its process died after the commit', async () => {
  const { changed, read } = await keptNotes();
  const { db, relay } = app.runtime();
  await ctx.transaction(async ({ session }) => {
    const saying = { session: session!, correlationId: 'c', now: new Date() };
    await writeOutbox(db, [noteChanged({ noteId: changed })], saying);
  });

  await relay.flush();

  expect(await read()).toEqual(['new', 'kept']);
});

test('not while nothing is committed', async () => {
  const { changed, read } = await keptNotes();
  const failing = ctx.transaction(async (inner) => {
    inner.publish(noteChanged({ noteId: changed }));
    throw new Error('the disk is full');
  });

  await expect(failing).rejects.toThrow('the disk is full');
  expect(await read()).toEqual(['kept', 'kept']);
});
