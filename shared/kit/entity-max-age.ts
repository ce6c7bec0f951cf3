import type { ExecutionResult } from 'graphql';
import type { AnyContext } from './context.ts';

/**
 * For how many seconds everybody is answered the same about an object, unless an event names it before; 0 when it is not everybody's. Said of
 * whole objects: fields that depend on the viewer all the same are `@cacheControl(scope: PRIVATE)`.
 */
export type SameForAll<T = never, C = never> = (object: T, ctx: C) => number;

const SECONDS = 'sameForAllSeconds';

const noted = new WeakMap<AnyContext, number>();

/** Of everything that one request refers to, the shortest time counts. */
export const noteReference = (ctx: AnyContext, seconds: number): void =>
  void noted.set(ctx, Math.min(noted.get(ctx) ?? Number.POSITIVE_INFINITY, seconds));

/** What an answer says beside its data of the objects it was asked for by reference. */
export function extensionsFor(ctx: AnyContext): Pick<ExecutionResult, 'extensions'> {
  const seconds = Math.floor(noted.get(ctx) ?? 0);
  return seconds > 0 ? { extensions: { [SECONDS]: seconds } } : {};
}

/** 0 unless the subgraph says something. */
export function sameForAllSeconds({ extensions }: ExecutionResult): number {
  const seconds = extensions?.[SECONDS];
  return typeof seconds === 'number' ? seconds : 0;
}
