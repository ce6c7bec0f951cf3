/** Writes the first of equal lines, and once a second how many more there were. */
export type Sampler = (key: string, write: (repeated: number) => void) => void;

const EVERY_MS = 1_000;

interface Repeated {
  times: number;
  write: (repeated: number) => void;
}

/** What goes wrong for one goes wrong for thousands: a log that grows with an outage becomes one. */
export function createSampler(everyMs: number = EVERY_MS): Sampler {
  const open = new Map<string, Repeated>();

  const close = (key: string): void => {
    const { times, write } = open.get(key)!;
    open.delete(key);
    if (times === 0) return;
    begin(key, write);
    write(times);
  };
  const begin = (key: string, write: Repeated['write']): void => {
    open.set(key, { times: 0, write });
    setTimeout(close, everyMs, key).unref();
  };

  return (key, write) => {
    const repeated = open.get(key);
    if (repeated) return void Object.assign(repeated, { times: repeated.times + 1, write });
    begin(key, write);
    write(0);
  };
}
