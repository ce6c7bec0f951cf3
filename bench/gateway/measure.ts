import { isDeepStrictEqual } from 'node:util';
import { openConnection } from './connection.ts';
import { operations, type BenchOperation } from './graph/operations.ts';
import { load, requestText, type LoadRequest } from './load.ts';
import { freePort, startGateway, type Command, type Running } from './processes.ts';
import type { Subgraphs } from './subgraphs.ts';
import type { Target } from './targets.ts';

export interface Settings {
  /** Of each measurement. */
  seconds: number;
  rounds: number;
  connections: number;
}

export interface Started extends Running {
  target: Target;
  requests: Record<BenchOperation['name'], LoadRequest[]>;
}

export interface Sample {
  cpuMicros: number;
  requestsPerSecond: number;
  p99Ms: number;
  rssMiB: number;
  subgraphCalls: number;
}

export interface Measured {
  target: Target;
  /** One per round. */
  samples: Record<BenchOperation['name'], Sample[]>;
}

export interface StartedTargets extends AsyncDisposable {
  running: Started[];
  /** Why the other targets could not be started. */
  missing: { target: Target; reason: string }[];
}

const WARM_UP_SECONDS = 3;
/** Later rounds only warm up the processor's caches. */
const AGAIN_SECONDS = 0.4;
const SHOWN_BYTES = 500;

/**
 * Starts all targets. They run side by side; an idle one costs nothing. A target whose responses differ from the first one's is left out.
 */
export async function startTargets(targets: readonly Target[]): Promise<StartedTargets> {
  const running: Started[] = [];
  const missing: StartedTargets['missing'] = [];
  const expected = new Map<string, unknown>();
  for (const target of targets) {
    const port = await freePort();
    const command = await target.prepare(port);
    if ('missing' in command) missing.push({ target, reason: command.missing });
    else
      await startVerified(target, command, port, expected)
        .then((started) => running.push(started))
        .catch((error: Error) => missing.push({ target, reason: error.message }));
  }
  return {
    running,
    missing,
    async [Symbol.asyncDispose]() {
      await Promise.all(running.map((started) => started.close()));
    },
  };
}

async function startVerified(target: Target, command: Command, port: number, expected: Map<string, unknown>): Promise<Started> {
  const gateway = await startGateway(command, port);
  try {
    const [small, heavy] = [
      await verified(target, port, operations.small, expected),
      await verified(target, port, operations.heavy, expected),
    ];
    return { ...gateway, target, requests: { small, heavy } };
  } catch (error) {
    await gateway.close();
    throw error;
  }
}

const textOf: NonNullable<Target['bodyOf']> = ({ query }, variables) => JSON.stringify({ query, variables });

/** Sends every operation once. The first target's responses are the expected ones. */
async function verified(
  { bodyOf = textOf }: Target,
  port: number,
  operation: BenchOperation,
  expected: Map<string, unknown>,
): Promise<LoadRequest[]> {
  const connection = await openConnection(port);
  try {
    const requests: LoadRequest[] = [];
    for (const variables of operation.variables) {
      const body = bodyOf(operation, variables);
      // Twice: a gateway may format the response to a cached document differently.
      await connection.send(requestText(port, body));
      const response = await connection.send(requestText(port, body));
      const { data, errors } = JSON.parse(response.body.toString()) as { data?: unknown; errors?: unknown };
      const memo = `${operation.name} ${JSON.stringify(variables)}`;
      if (!expected.has(memo)) expected.set(memo, data);
      if (errors || !data || !isDeepStrictEqual(data, expected.get(memo)))
        throw new Error(`It answers ${memo} otherwise than the others: ${response.body.subarray(0, SHOWN_BYTES).toString()}`);
      requests.push({ body, responseBytes: response.body.length });
    }
    return requests;
  } finally {
    connection.close();
  }
}

/** Round by round, each target in turn, so that other load on the machine affects all of them. */
export async function measure(running: readonly Started[], subgraphs: Subgraphs, settings: Settings): Promise<Measured[]> {
  const measured = running.map((started) => ({
    started,
    target: started.target,
    samples: { small: [] as Sample[], heavy: [] as Sample[] },
  }));
  for (let round = 0; round < settings.rounds; round += 1) {
    const warmUp = round === 0 ? WARM_UP_SECONDS : AGAIN_SECONDS;
    for (const { started, samples } of measured) {
      for (const { name } of Object.values(operations)) {
        await load({ ...settings, port: started.port, requests: started.requests[name], seconds: warmUp });
        samples[name].push(await sampleOf(started, started.requests[name], subgraphs, settings));
      }
    }
  }
  return measured;
}

async function sampleOf(
  { port, cpuSeconds, rssMiB }: Started,
  requests: LoadRequest[],
  subgraphs: Subgraphs,
  settings: Settings,
): Promise<Sample> {
  const [calls, cpu] = [await subgraphs.calls(), cpuSeconds()];
  const loaded = await load({ ...settings, port, requests });
  return {
    cpuMicros: ((cpuSeconds() - cpu) / loaded.requests) * 1_000_000,
    requestsPerSecond: loaded.requests / loaded.seconds,
    p99Ms: loaded.p99Ms,
    rssMiB: rssMiB(),
    subgraphCalls: ((await subgraphs.calls()) - calls) / loaded.requests,
  };
}
