import { randomInt } from 'node:crypto';
import type { Redis } from 'ioredis';
import type { Logger } from 'pino';
import { newId } from '../base/ids.ts';
import type { Command } from '../kit/define-command.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { CONFIG, readSettings, registerDefinitions } from '../kit/settings-commands.ts';
import type { CommandTransport } from '../kit/transport.ts';
import { settingsChannel } from '../settings/change-tags.ts';
import { createSettingsClient, type SettingsClient } from '../settings/settings-client.ts';
import { outsideTransactions } from '../store/mongo.ts';
import { definesAny, registrationOf } from './setting-definitions.ts';

interface HostSettingsOptions {
  subgraphs: readonly Subgraph[];
  redis: Redis;
  redisPrefix: string;
  log: Logger;
  peer(name: string): CommandTransport;
}

/** No start waits longer for values that another process has. */
const START_MS = 300;
const FIRST_RETRY_MS = 1_000;
const MAX_RETRY_MS = 60_000;
/** Often enough that a definition nobody has any more is noticed within the hour. */
const REGISTER_MS = 5 * 60_000;

export interface HostSettings {
  client: SettingsClient;
  /** The Redis channel of announcements. */
  channel: string;
  /** Reads the values, and registers the definitions of these subgraphs beside. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** Settings and flags of a process: their values, and the registration of what its subgraphs define. */
export function createHostSettings({ subgraphs, redis, redisPrefix, log, peer }: HostSettingsOptions): HostSettings {
  const definers = subgraphs.filter(definesAny);
  const timers = new Map<string, NodeJS.Timeout>();
  const registering = new Set<Promise<void>>();
  let isStopped = false;

  async function ask<I, O>(command: Command<I, O>, input: I): Promise<O> {
    const correlationId = newId('set');
    const request = {
      command: command.name,
      input,
      identity: { issuer: subgraphs[0]?.name ?? CONFIG, viewer: null },
      correlationId,
      deadline: Date.now() + command.timeoutMs,
      idempotencyKey: command.changes ? undefined : correlationId,
    };
    // In the same process it must not join the transaction of whoever reads a setting.
    return command.output.parse(await outsideTransactions(async () => peer(command.owner).call(request)));
  }

  const client = createSettingsClient({
    redis,
    prefix: redisPrefix,
    log,
    load: async (scopes) => (await ask(readSettings, { scopes })).pages,
  });

  async function register(subgraph: Subgraph, retryMs: number): Promise<void> {
    const evaluated = client.evaluated();
    let next = REGISTER_MS + randomInt(REGISTER_MS / 10);
    let nextRetryMs = FIRST_RETRY_MS;
    try {
      await ask(registerDefinitions, registrationOf(subgraph, client, evaluated));
      client.forgetEvaluated(evaluated);
    } catch (error) {
      log.debug({ err: error, subgraph: subgraph.name }, 'definitions of settings could not be registered; it will be tried again');
      next = retryMs;
      nextRetryMs = Math.min(retryMs * 2, MAX_RETRY_MS);
    }
    if (isStopped) return;
    timers.set(subgraph.name, setTimeout(() => begin(subgraph, nextRetryMs), next).unref());
  }

  function begin(subgraph: Subgraph, retryMs: number): void {
    const work = register(subgraph, retryMs).finally(() => registering.delete(work));
    registering.add(work);
  }

  return {
    client,
    channel: settingsChannel(redisPrefix),
    async start() {
      if (definers.length === 0) return;
      for (const subgraph of definers) begin(subgraph, FIRST_RETRY_MS);
      await client.start(START_MS);
    },
    async stop() {
      isStopped = true;
      client.stop();
      for (const timer of timers.values()) clearTimeout(timer);
      await Promise.all(registering);
    },
  };
}
