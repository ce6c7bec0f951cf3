import { z } from 'zod';
import { parseEnv, type EnvSource } from '../base/env.ts';
import type { HttpTransportOptions } from './http-transport.ts';

const count = z.coerce.number().int().min(1).max(1_000).optional();
const milliseconds = z.coerce.number().int().min(1).max(600_000).optional();

export const HttpSettings = z.object({
  /** Failures to connect in a row that open the circuit breaker of a subgraph. */
  BREAKER_FAILURES: count,
  /** Successes that close it. */
  BREAKER_SUCCESSES: count,
  /** How long it stays open at least, the first time. */
  BREAKER_OPEN_MS: milliseconds,
  /** How long at most: it doubles each time it opens again before a call was answered. */
  BREAKER_LONGEST_OPEN_MS: milliseconds,
  /** Calls at a time while it is half-open. */
  BREAKER_TRIALS: count,
  /** How often an open breaker asks whether the process lives; 0 leaves it to calls alone. */
  BREAKER_PROBE_MS: z.coerce.number().int().min(0).max(600_000).optional(),
  /** Attempts after the first one of what may be repeated; 0 for none. */
  RETRY_ATTEMPTS: z.coerce.number().int().min(0).max(10).optional(),
});

/** What the environment says about how other processes are asked. What it leaves out stays as `httpTransport` has it. */
export function readResilience(environment: EnvSource = process.env): NonNullable<HttpTransportOptions['resilience']> {
  const settings = parseEnv(HttpSettings, environment);
  return {
    breaker: {
      failureThreshold: settings.BREAKER_FAILURES,
      successThreshold: settings.BREAKER_SUCCESSES,
      openMs: settings.BREAKER_OPEN_MS,
      maxOpenMs: settings.BREAKER_LONGEST_OPEN_MS,
      trials: settings.BREAKER_TRIALS,
      probeEveryMs: settings.BREAKER_PROBE_MS,
    },
    retry: { attempts: settings.RETRY_ATTEMPTS },
  };
}
