import { Audience } from './shared-abort.ts';

/** Work that is under way, by what it is about. */
export interface Flights<T> {
  /**
   * The result of work that has just begun for the same key, or else of this work. It is given a signal, when whoever begins it has one: that
   * everyone who joined has gone. Work that is part of a whole has the audience of that.
   */
  join: (key: string, work: (signal?: AbortSignal) => Promise<T>, signal?: AbortSignal, audience?: Audience) => Promise<T>;
  /** From now on nobody joins what is under way. */
  seal: () => void;
}

interface Flight<T> {
  result: Promise<T>;
  /** None: it is never given up. */
  audience: Audience | undefined;
  joined: boolean;
  since: number;
}

/** Older work is not joined: its result would be as old, and its deadline nearer. */
const JOINABLE_MS = 1_000;

/** `copy` makes a result for each of those who share one, so that nobody sees what another does with it. */
export function createFlights<T>(copy: (result: T) => T): Flights<T> {
  let open = new Map<string, Flight<T>>();

  return {
    join(key, work, signal, audience = signal && new Audience()) {
      const known = open.get(key);
      if (known && Date.now() - known.since < JOINABLE_MS && !known.audience?.signal.aborted) {
        known.joined = true;
        known.audience?.add(signal);
        return known.result.then(copy);
      }
      const flights = open;
      audience?.add(signal);
      const flight: Flight<T> = { result: work(audience?.signal), audience, joined: false, since: Date.now() };
      flights.set(key, flight);
      const land = (): void => {
        if (flights.get(key) === flight) flights.delete(key);
      };
      flight.result.then(land, land);
      return flight.result.then((result) => (flight.joined ? copy(result) : result));
    },
    seal() {
      open = new Map();
    },
  };
}

/** Plain objects and lists anew; whatever else there is, such as an error, is nobody's to change. */
export function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (typeof value !== 'object' || value === null) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, copyOf(each) as unknown])) as T;
}
