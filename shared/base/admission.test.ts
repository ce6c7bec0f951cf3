import { describe, expect, test } from '@jest/globals';
import { createAdmission, type AdmissionLimits } from './admission.ts';

const LATER = Number.MAX_SAFE_INTEGER;
const refused = { code: 'OVERLOADED', retryable: true, facts: { retryAfterSeconds: expect.any(Number) } };

function open(limits: Partial<AdmissionLimits> = {}) {
  const admission = createAdmission({ atOnce: 1, waiting: 2, maxWaitMs: 10_000, ...limits });
  const begun: string[] = [];
  /** Work that ends when the test says so. */
  const begin = (name: string, wanted: Partial<Parameters<typeof admission.run>[1]> = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    const answer = admission.run(
      () => {
        begun.push(name);
        return promise;
      },
      { deadline: LATER, ...wanted },
    );
    answer.catch(() => undefined);
    return { answer, end: () => resolve(name), fail: () => reject(new Error(name)) };
  };
  return { admission, begun, begin };
}

describe('work', () => {
  test('beyond what is done at once waits, and begins when something ends, well or not', async () => {
    const { begin, begun } = open();
    const [first, second, third] = ['first', 'second', 'third'].map((name) => begin(name)) as [Begun, Begun, Begun];
    expect(begun).toEqual(['first']);

    first.fail();
    await expect(first.answer).rejects.toThrow('first');
    expect(begun).toEqual(['first', 'second']);
    second.end();
    third.end();

    expect(await third.answer).toBe('third');
  });

  test('beyond what may wait is refused at once and not done later', async () => {
    const { admission, begin, begun } = open();
    const [first, ...others] = ['first', 'second', 'third', 'fourth'].map((name) => begin(name)) as [Begun, ...Begun[]];

    await expect(others[2]!.answer).rejects.toMatchObject(refused);

    first.end();
    for (const { end } of others) end();
    await others[1]!.answer;
    expect(begun).toEqual(['first', 'second', 'third']);
    expect([admission.running, admission.waiting]).toEqual([0, 0]);
  });

  test('that would wait too long, by how long others have taken, is refused at once', async () => {
    const { begin } = open({ waiting: 100, maxWaitMs: 60 });
    const slow = begin('slow');
    setTimeout(slow.end, 40);
    await slow.answer;
    begin('first');

    const next = begin('next');
    const last = begin('last');

    await expect(last.answer).rejects.toMatchObject(refused);
    await expect(next.answer).rejects.toMatchObject(refused); // It was begun by nobody in its time.
  });

  test('whose caller has gone, or has no more time, is dropped before it begins; what has begun goes on', async () => {
    const { begin, begun } = open({ waiting: 10 });
    const leaving = new AbortController();
    const first = begin('first', { signal: leaving.signal });
    const gone = begin('gone', { signal: leaving.signal });
    const late = begin('late', { deadline: Date.now() + 20 });
    const last = begin('last');

    leaving.abort();
    await expect(gone.answer).rejects.toMatchObject(refused);
    await expect(late.answer).rejects.toMatchObject(refused);
    first.end();
    last.end();

    expect(await Promise.all([first.answer, last.answer])).toEqual(['first', 'last']);
    expect(begun).toEqual(['first', 'last']);
  });

  test('of several callers is taken in turn, however much one of them has waiting', async () => {
    const { begin, begun } = open({ waiting: 10 });
    const all = ['many', 'many', 'many', 'one', 'other'].map((caller) => begin(caller, { caller }));

    for (const { end } of all) end();
    await Promise.all(all.map(({ answer }) => answer));

    expect(begun).toEqual(['many', 'many', 'one', 'other', 'many']);
  });

  test('is never more than may be done at once, however it comes', async () => {
    const { admission } = open({ atOnce: 3, waiting: 1_000 });
    let most = 0;
    const one = async (): Promise<void> => {
      most = Math.max(most, admission.running);
      await new Promise((resolve) => setImmediate(resolve));
    };

    await Promise.all(
      Array.from({ length: 200 }, () => admission.run(one, { deadline: LATER }).then(() => admission.run(one, { deadline: LATER }))),
    );

    expect(most).toBe(3);
  });
});

type Begun = ReturnType<ReturnType<typeof open>['begin']>;
