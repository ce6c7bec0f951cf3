import type { Link, Program } from './choice.ts';

/** All that differs between one embedded service and another. */
export interface Service {
  name: 'mongodb' | 'redis';
  title: string;
  /** The environment variable that names one which somebody else runs. */
  variable: 'MONGODB_URI' | 'REDIS_URL';
  links: Link[];
  /** The command line that serves this folder on this port, on the loopback address only, losing nothing on a crash. */
  args(program: Program, folder: string, port: number): string[];
  uri(program: Program, port: number): string;
  /** True once clients can work with it; brings it there when it needs a hand. */
  isReady(program: Program, port: number): Promise<boolean>;
}

/** `{ port: 1, quiet: true }` as it stands on a command line: `--port 1 --quiet`. */
export function flags(values: { [name: string]: string | number | true }): string[] {
  return Object.entries(values).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, String(value)]));
}
