import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { z } from 'zod';
import { defineEvent } from '../kit/define-event.ts';
import { outboxOf } from './outbox.ts';
import { subgraph, type Ctx } from '../testing/fixture-subgraph/subgraph.ts';
import { open, type TestApp } from '../testing/open.ts';

const noteWritten = defineEvent('Note.Written', z.object({ noteId: z.string() }));
const noteShown = defineEvent('Note.Shown', z.object({ noteId: z.string() }), { topics: ({ noteId }) => [`notes:${noteId}`] });

let app: TestApp;
beforeAll(async () => {
  app = await open(subgraph);
});
afterAll(() => app.close());

test('what nobody hears is kept and has nowhere to go; what somebody may listen to leaves, however many say it at once', async () => {
  const ids = Array.from({ length: 30 }, (_, index) => `not_${index}`);
  const heard = () => outboxOf(app.runtime().db).find({ type: 'Note.Shown' }).sort({ _id: 1 }).toArray();

  await (app.context() as Ctx).transaction(async (inner) => {
    inner.publish(...ids.flatMap((noteId) => [noteWritten({ noteId }), noteShown({ noteId })]));
  });

  await app.settled();
  const unheard = await outboxOf(app.runtime().db).find({ type: 'Note.Written' }).toArray();
  expect(unheard.map(({ state, doneAt }) => [state, doneAt instanceof Date])).toEqual(ids.map(() => ['DONE', true]));
  expect((await heard()).map(({ state, cursors }) => [state, Object.keys(cursors)])).toEqual(ids.map((id) => ['DONE', [`notes:${id}`]]));
});
