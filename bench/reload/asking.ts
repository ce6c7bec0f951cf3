import { Pool } from 'undici';

export interface Client {
  /** Milliseconds until the answer was there. Throws when it has errors other than those expected of it. */
  ask(query: string): Promise<number>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function openClient(url: string, connections = 16): Client {
  const { origin, pathname: path } = new URL(url);
  const pool = new Pool(origin, { connections });
  return {
    async ask(query) {
      const began = performance.now();
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path,
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ query }),
      });
      const { errors } = (await body.json()) as { errors?: unknown };
      if (statusCode !== 200 || errors) throw new Error(JSON.stringify(errors));
      return performance.now() - began;
    },
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export const rounded = (value: number, digits = 2): number => Number(value.toFixed(digits));
