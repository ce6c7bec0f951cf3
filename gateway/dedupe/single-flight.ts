import { SharedAbort } from './shared-abort.ts';

/** Runs equal work once while it is in flight. */
export interface SingleFlight<T> {
  /**
   * Joins in-flight work with the same key, or starts this work. The signal that the work gets fires only when every caller that joined has
   * disconnected; it is undefined when the first caller has no signal. `sharedAbort` puts several pieces of work under one signal.
   */
  run: (key: string, work: (signal?: AbortSignal) => Promise<T>, signal?: AbortSignal, sharedAbort?: SharedAbort) => Promise<T>;
  /** Later callers start new work instead of joining what is in flight now. */
  forgetInFlight: () => void;
}

interface Flight<T> {
  result: Promise<T>;
  /** Undefined: the work is never aborted. */
  sharedAbort: SharedAbort | undefined;
  isShared: boolean;
  since: number;
}

/** Older work is not joined: its result would be as old, and its deadline nearer. */
const JOINABLE_MS = 1_000;

/** `copy` makes a result of its own for each caller that shares one, so that no caller sees what another changes in it. */
export function createSingleFlight<T>(copy: (result: T) => T): SingleFlight<T> {
  let inFlight = new Map<string, Flight<T>>();

  return {
    run(key, work, signal, sharedAbort = signal && new SharedAbort()) {
      const known = inFlight.get(key);
      if (known && Date.now() - known.since < JOINABLE_MS && !known.sharedAbort?.signal.aborted) {
        known.isShared = true;
        known.sharedAbort?.add(signal);
        return known.result.then(copy);
      }
      const flights = inFlight;
      sharedAbort?.add(signal);
      const flight: Flight<T> = { result: work(sharedAbort?.signal), sharedAbort, isShared: false, since: Date.now() };
      flights.set(key, flight);
      const settle = (): void => {
        if (flights.get(key) === flight) flights.delete(key);
      };
      flight.result.then(settle, settle);
      return flight.result.then((result) => (flight.isShared ? copy(result) : result));
    },
    forgetInFlight() {
      inFlight = new Map();
    },
  };
}

/** Copies plain objects and lists. Anything else, such as an error, is shared: nobody changes it. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyOf(each) as unknown])) as T;
}
