import type { Setting } from '../settings/definitions.ts';

/** How often something may be done in a window of time, counted for each key on its own. */
export interface Limit {
  kind: 'limit';
  /** Unique within its subgraph. */
  name: string;
  points: number | Setting<number, never>;
  times: number;
  windowSeconds: number;
  count: 'ALL' | 'FAILURES';
  fallbackShare: number;
}

interface LimitOptions {
  /** Points of a key in a window; a setting when admins shall be able to change it. */
  points: number | Setting<number, never>;
  /** So many times these points, where several limits share a setting. Default 1. */
  times?: number;
  /** The window begins with the first point that is taken. */
  windowSeconds: number;
  /** FAILURES: `attempt` gives the points of successes back. Default ALL. */
  count?: 'ALL' | 'FAILURES';
  /** Without Redis each process counts for itself, so it allows this share of the points. Default 0.5. */
  fallbackShare?: number;
}

/** Declares a limit beside the actions that it protects. */
export const defineLimit = (
  name: string,
  { points, times = 1, windowSeconds, count = 'ALL', fallbackShare = 0.5 }: LimitOptions,
): Limit => ({
  kind: 'limit',
  name,
  points,
  times,
  windowSeconds,
  count,
  fallbackShare,
});
