import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { subgraph, type Ctx } from '../testing/fixture-subgraph/subgraph.ts';
import { open, type TestApp } from '../testing/open.ts';

let app: TestApp;
beforeAll(async () => {
  app = await open(subgraph);
});
afterAll(() => app.close());

const ctx = () => app.context() as Ctx;

describe('afterCommit', () => {
  test('runs once the transaction is committed, before its caller goes on', async () => {
    const seen: (number | string)[] = [];

    await ctx().transaction(async (inner) => {
      await inner.models.Board.create([{ _id: 'brd_after', title: 'after' }]);
      inner.afterCommit(async () => seen.push(await ctx().models.Board.countDocuments({ _id: 'brd_after' })));
      seen.push('inside');
    });

    expect(seen).toEqual(['inside', 1]);
  });

  test('is left out when the transaction fails', async () => {
    let ran = false;

    const failed = ctx().transaction(async (inner) => {
      inner.afterCommit(async () => (ran = true));
      throw new Error('no');
    });

    await expect(failed).rejects.toThrow('no');
    expect(ran).toBe(false);
  });

  test('cannot make the caller fail', async () => {
    const answer = await ctx().transaction(async (inner) => {
      inner.afterCommit(() => Promise.reject(new Error('the cache is gone')));
      return 'done';
    });

    expect(answer).toBe('done');
  });

  test('belongs inside a transaction', () => {
    expect(() => ctx().afterCommit(async () => undefined)).toThrow(/transaction/);
  });
});

describe('a transaction', () => {
  test('that is run twice by the store says its events and follows up once', async () => {
    let attempts = 0;
    let followed = 0;
    await ctx().models.Board.create([{ _id: 'brd_busy', title: 'busy' }]);

    await ctx().transaction(async (inner) => {
      attempts += 1;
      await inner.models.Board.findById('brd_busy').lean();
      // Another writer gets in between, so that this one conflicts and is run again.
      if (attempts === 1)
        await app.host.client
          .useDb(app.runtime().db.name)
          .collection('boards')
          .updateOne({ _id: 'brd_busy' as never }, { $set: { count: 7 } });
      await inner.models.Board.updateOne({ _id: 'brd_busy' }, { $inc: { count: 1 } });
      inner.afterCommit(async () => (followed += 1));
    });

    expect(attempts).toBeGreaterThan(1);
    expect(followed).toBe(1);
    expect((await ctx().models.Board.findById('brd_busy').lean())!.count).toBe(8);
  });

  test('does not take a command into it', async () => {
    const { addToTrail } = await import('../testing/fixture-subgraph/subgraph.ts');
    await ctx().models.Board.create([{ _id: 'brd_apart', title: 'apart' }]);

    const failed = ctx().transaction(async (inner) => {
      await inner.call(addToTrail, { boardId: 'brd_apart', word: 'kept' }, { idempotencyKey: 'apart-key-1' });
      throw new Error('rolled back');
    });

    await expect(failed).rejects.toThrow('rolled back');
    expect((await ctx().models.Board.findById('brd_apart').lean())!.trail).toEqual(['kept']);
  });
});
