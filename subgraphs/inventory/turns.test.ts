import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import type { ClientSession } from 'mongoose';
import { createTurns } from './turns.ts';

const LATER = Date.now() + 60_000;
const session = () => new EventEmitter() as unknown as ClientSession & EventEmitter;
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** Asks for keys and notes when the turn has come. */
function asking(turns: ReturnType<typeof createTurns>, order: string[], name: string, keys: string[], first = false) {
  const mine = session();
  void turns.take(mine, keys, { deadline: LATER, first }).then(() => order.push(name));
  return { end: () => mine.emit('ended') };
}

describe('turns', () => {
  test('come in the order of asking, one at a time for each key, and others at once', async () => {
    const turns = createTurns();
    const order: string[] = [];
    const first = asking(turns, order, 'first', ['a']);
    const second = asking(turns, order, 'second', ['a']);
    const third = asking(turns, order, 'third', ['a']);
    asking(turns, order, 'elsewhere', ['b']);
    await tick();
    expect(order).toEqual(['first', 'elsewhere']);

    first.end();
    await tick();
    expect(order).toEqual(['first', 'elsewhere', 'second']);

    second.end();
    await tick();
    expect(order.at(-1)).toBe('third');
    third.end();
  });

  test('of those who hold pieces come before all who only want some', async () => {
    const turns = createTurns();
    const order: string[] = [];
    const first = asking(turns, order, 'first', ['a']);
    const others = Array.from({ length: 50 }, (_each, i) => asking(turns, order, 'wants', ['a', `other ${i}`]));
    const commit = asking(turns, order, 'commits', ['a'], true);
    const release = asking(turns, order, 'releases', ['a', 'b'], true);
    await tick();

    for (const each of [first, commit, release, ...others]) {
      each.end();
      await tick();
    }

    expect(order).toEqual(['first', 'commits', 'releases', ...others.map(() => 'wants')]);
  });

  test('never wait for each other in a circle', async () => {
    const turns = createTurns();
    const order: string[] = [];
    const asked = [
      ['a', 'b'],
      ['b', 'a'],
      ['c', 'b'],
      ['a', 'c'],
    ].map((keys, index) => asking(turns, order, String(index), keys));

    for (const each of asked) {
      await tick();
      each.end();
    }

    await tick();
    expect(order).toEqual(['0', '1', '2', '3']);
  });

  test('stay with a session that tries again', async () => {
    const turns = createTurns();
    const mine = session();
    await turns.take(mine, ['a'], { deadline: LATER });

    await turns.take(mine, ['a'], { deadline: LATER });
  });

  test('are given up at the deadline, without letting those behind come too early', async () => {
    const turns = createTurns();
    const order: string[] = [];
    const first = asking(turns, order, 'first', ['a']);
    const late = session();

    await expect(turns.take(late, ['a'], { deadline: Date.now() - 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    late.emit('ended');
    asking(turns, order, 'behind', ['a']);
    await tick();
    expect(order).toEqual(['first']);

    first.end();
    await tick();
    expect(order).toEqual(['first', 'behind']);
  });
});
