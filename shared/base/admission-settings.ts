import { z } from 'zod';
import type { AdmissionLimits } from './admission.ts';
import { parseEnv, type EnvSource } from './env.ts';

const count = (usual: number) => z.coerce.number().int().min(1).max(100_000).default(usual);

export const AdmissionSettings = z.object({
  /** Requests that one subgraph works on at a time. */
  REQUESTS_AT_ONCE: count(64),
  /** Requests that may wait for that. */
  REQUESTS_WAITING: count(512),
  /** Commands, which belong to work that is under way, that one subgraph works on at a time. */
  COMMANDS_AT_ONCE: count(128),
  /** Requests that all subgraphs of a process work on at a time. */
  PROCESS_REQUESTS_AT_ONCE: count(256),
  /** How long a request may wait: refused at once when it would take longer. */
  LONGEST_WAIT_MS: count(2_000),
});

/** A command is waited for as long as its caller has time. */
const COMMANDS_WAITING = 10_000;
const COMMAND_WAIT_MS = 60_000;

interface ProcessLimits {
  process: AdmissionLimits;
  subgraph: AdmissionLimits;
  commands: AdmissionLimits;
}

/** What the environment says about how much is done at a time. */
export function readAdmissionLimits(environment: EnvSource = process.env): ProcessLimits {
  const settings = parseEnv(AdmissionSettings, environment);
  const { REQUESTS_AT_ONCE, REQUESTS_WAITING: waiting, COMMANDS_AT_ONCE, PROCESS_REQUESTS_AT_ONCE, LONGEST_WAIT_MS: maxWaitMs } = settings;
  return {
    process: { atOnce: PROCESS_REQUESTS_AT_ONCE, waiting: waiting * 2, maxWaitMs },
    subgraph: { atOnce: REQUESTS_AT_ONCE, waiting, maxWaitMs },
    commands: { atOnce: COMMANDS_AT_ONCE, waiting: COMMANDS_WAITING, maxWaitMs: COMMAND_WAIT_MS },
  };
}
