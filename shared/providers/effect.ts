import { isProblem } from '../base/errors.ts';

/** A call that changes something at a third party: it moves money or sends a message. */
export interface EffectCall<I = any, O = any> {
  /**
   * Has the effect once for each of our own ids, however often it is called and whatever became of the calls before: it is looked for by our id
   * first, and again when the answer of the call was lost.
   */
  (ownId: string, input: I): Promise<O>;
  effect: true;
  find(ownId: string): Promise<O | null>;
}

interface EffectOptions<I, O> {
  effect: true;
  /** Must pass `ownId` on, so that `find` knows it again; as idempotency key too where the third party knows those. */
  send(ownId: string, input: I): Promise<O>;
  /** What the third party has under our id; null when there is nothing. */
  find(ownId: string): Promise<O | null>;
}

/**
 * Marks a call as one with an effect. Each such call gets a test of its own (`shared/testing/effects.ts`): the effect happens, the answer is
 * lost, the process is killed; afterwards the outcome is found, and there is one effect.
 */
export function effectCall<I, O>({ send, find }: EffectOptions<I, O>): EffectCall<I, O> {
  const call = async (ownId: string, input: I): Promise<O> => {
    const before = await find(ownId);
    if (before !== null) return before;
    try {
      return await send(ownId, input);
    } catch (error) {
      const after = isProblem(error) && error.retryable ? await find(ownId).catch(() => null) : null;
      if (after === null) throw error;
      return after;
    }
  };
  return Object.assign(call, { effect: true as const, find });
}
