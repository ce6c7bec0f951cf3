import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import type { ClientSession } from 'mongoose';
import { createKeyedMutex } from './keyed-mutex.ts';

const LATER = Date.now() + 60_000;
const session = () => new EventEmitter() as unknown as ClientSession & EventEmitter;
const tick = () => new Promise((resolve) => setImmediate(resolve));

/** Asks for keys and notes when the turn has come. */
function asking(locks: ReturnType<typeof createKeyedMutex>, order: string[], name: string, keys: string[], first = false) {
  const mine = session();
  void locks.acquire(mine, keys, { deadline: LATER, first }).then(() => order.push(name));
  return { end: () => mine.emit('ended') };
}

describe('a keyed mutex', () => {
  test('grants keys in the order of the calls, one holder per key, and other keys at once', async () => {
    const locks = createKeyedMutex('notes');
    const order: string[] = [];
    const first = asking(locks, order, 'first', ['a']);
    const second = asking(locks, order, 'second', ['a']);
    const third = asking(locks, order, 'third', ['a']);
    asking(locks, order, 'elsewhere', ['b']);
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
    const locks = createKeyedMutex('notes');
    const order: string[] = [];
    const first = asking(locks, order, 'first', ['a']);
    const others = Array.from({ length: 50 }, (_each, i) => asking(locks, order, 'wants', ['a', `other ${i}`]));
    const commit = asking(locks, order, 'commits', ['a'], true);
    const release = asking(locks, order, 'releases', ['a', 'b'], true);
    await tick();

    for (const each of [first, commit, release, ...others]) {
      each.end();
      await tick();
    }

    expect(order).toEqual(['first', 'commits', 'releases', ...others.map(() => 'wants')]);
  });

  test('never wait for each other in a circle', async () => {
    const locks = createKeyedMutex('notes');
    const order: string[] = [];
    const asked = [
      ['a', 'b'],
      ['b', 'a'],
      ['c', 'b'],
      ['a', 'c'],
    ].map((keys, index) => asking(locks, order, String(index), keys));

    for (const each of asked) {
      await tick();
      each.end();
    }

    await tick();
    expect(order).toEqual(['0', '1', '2', '3']);
  });

  test('stay with a session that tries again', async () => {
    const locks = createKeyedMutex('notes');
    const mine = session();
    await locks.acquire(mine, ['a'], { deadline: LATER });

    await locks.acquire(mine, ['a'], { deadline: LATER });
  });

  test('are given up at the deadline, without letting those behind come too early', async () => {
    const locks = createKeyedMutex('notes');
    const order: string[] = [];
    const first = asking(locks, order, 'first', ['a']);
    const late = session();

    await expect(locks.acquire(late, ['a'], { deadline: Date.now() - 1 })).rejects.toMatchObject({ code: 'UNAVAILABLE', retryable: true });
    late.emit('ended');
    asking(locks, order, 'behind', ['a']);
    await tick();
    expect(order).toEqual(['first']);

    first.end();
    await tick();
    expect(order).toEqual(['first', 'behind']);
  });
});
