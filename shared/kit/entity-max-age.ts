import type { ExecutionResult } from 'graphql';
import type { AnyContext } from './context.ts';

/**
 * Seconds for which an entity is equal for every viewer, unless an event invalidates it earlier; 0 when it depends on the viewer. Holds for the
 * whole entity: single fields that depend on the viewer are `@cacheControl(scope: PRIVATE)`.
 */
export type EntityMaxAge<T = never, C = never> = (object: T, ctx: C) => number;

const SECONDS = 'sameForAllSeconds';

const recorded = new WeakMap<AnyContext, number>();

/** The shortest time of all entities in a request counts. */
export const recordEntityMaxAge = (ctx: AnyContext, seconds: number): void =>
  void recorded.set(ctx, Math.min(recorded.get(ctx) ?? Number.POSITIVE_INFINITY, seconds));

/** The response extension with the max age of the entities that the request resolved by reference. */
export function extensionsFor(ctx: AnyContext): Pick<ExecutionResult, 'extensions'> {
  const seconds = Math.floor(recorded.get(ctx) ?? 0);
  return seconds > 0 ? { extensions: { [SECONDS]: seconds } } : {};
}

/** 0 when the subgraph states no max age. */
export function readEntityMaxAge({ extensions }: ExecutionResult): number {
  const seconds = extensions?.[SECONDS];
  return typeof seconds === 'number' ? seconds : 0;
}
