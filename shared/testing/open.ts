import { randomBytes } from 'node:crypto';
import type { ExecutionResult } from 'graphql';
import type { Connection } from 'mongoose';
import type { AnyContext } from '../kit/context.ts';
import { Problem } from '../base/errors.ts';
import type { Envelope } from '../kit/define-event.ts';
import { KIT_DATABASE, openHost, type Host } from '../runtime/host.ts';
import { jobRunsOf } from '../jobs/store.ts';
import type { Identity, Viewer } from '../base/identity.ts';
import { newId } from '../base/ids.ts';
import { envelopeOf, outboxOf } from '../messaging/outbox.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { parseCommandInput, type Command } from '../kit/define-command.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import type { CommandTransport } from '../kit/transport.ts';
import { dropDatabases } from './drop-databases.ts';
import { watched, watchPlans } from './plans.ts';

export interface OpenOptions {
  /** Who asks when a test says nothing else; nobody by default. */
  viewer?: Viewer | null;
  /** Replacements of providers, by subgraph name. */
  providers?: Record<string, object>;
  environment?: Record<string, string>;
  /** Answers of subgraphs that are not opened in this test. */
  answers?: Answer[];
  /** The first moment of the test's clock; the real time by default. */
  now?: Date;
}

interface Answer {
  command: Command;
  reply(input: unknown): unknown;
}

/** What a subgraph that is not opened here would say. Both sides are checked against the contract. */
export const answering = <I, O>(command: Command<I, O>, reply: (input: I) => O | Promise<O>): Answer => ({
  command: command as Command,
  reply: (input) => reply(parseCommandInput(command, input)),
});

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads what it asked for
export type Data = any;

export interface Answered {
  data: Data;
  errors: { message: string; path?: readonly (string | number)[]; extensions: Record<string, any> }[] | undefined;
}

export interface AskOptions {
  as?: Viewer | null;
  /** Default: the first subgraph. */
  of?: string;
  client?: Identity['client'];
}

export interface TestApp extends AsyncDisposable {
  ask(query: string, variables?: Record<string, unknown>, options?: AskOptions): Promise<Answered>;
  /** The entity door, as the gateway uses it: `selection` on each representation. */
  entities(representations: { __typename: string; [key: string]: unknown }[], selection: string, options?: AskOptions): Promise<Answered>;
  subscribe(query: string, variables?: Record<string, unknown>, options?: AskOptions): Promise<AsyncIterableIterator<Answered>>;
  /** Everything said so far, in order, of this type. */
  said<T = any>(type?: string, of?: string): Promise<Envelope<T>[]>;
  /** Waits until every event has had all its effects and no saga is on its way. */
  settled(): Promise<void>;
  context(of?: string, identity?: Partial<Identity>): AnyContext;
  call<I, O>(command: Command<I, O>, input: I, options?: { idempotencyKey?: string; as?: Viewer | null }): Promise<O>;
  runJob(name: string, of?: string): Promise<unknown>;
  clock: { now(): Date; set(time: Date): void; advance(ms: number): void };
  runtime(name?: string): Runtime;
  host: Host;
  /** Empties this test's part of Redis, as a lost Redis would be empty. */
  wipeRedis(): Promise<void>;
  close(): Promise<void>;
}

const SETTLE_MS = 20_000;
const DEADLINE_MS = 30_000;

export const viewer = (id: string, roles: string[] = [], scopes: string[] = []): Viewer => ({
  id,
  roles,
  scopes,
  sessionId: `ses_${id}`,
});

/** Opens subgraphs against the running services with databases, queues and a clock of their own; the first one is asked by default. */
export async function open(subgraphs: Subgraph | Subgraph[], options: OpenOptions = {}): Promise<TestApp> {
  const list = [subgraphs].flat();
  const run = `t${randomBytes(6).toString('hex')}`;
  let offset = options.now ? options.now.getTime() - Date.now() : 0;
  const clock = {
    now: () => new Date(Date.now() + offset),
    set: (time: Date) => void (offset = time.getTime() - Date.now()),
    advance: (ms: number) => void (offset += ms),
  };
  const opening = () =>
    openHost(list, {
      monitorCommands: true,
      onClient: (client) => (plans = watchPlans(client, `${run}_`)),
      mongodbUri: process.env['MONGODB_URI']!,
      redisUrl: process.env['REDIS_URL']!,
      databasePrefix: `${run}_`,
      redisPrefix: run,
      now: clock.now,
      remote: (name) => standIn(name, options.answers ?? []),
      environment: { NODE_ENV: 'test', ...options.environment },
      ...(options.providers && { providers: options.providers }),
    });
  let plans: ReturnType<typeof watchPlans> | undefined;
  const host = await watched(opening);

  const first = list[0]!.name;
  const runtime = (name = first): Runtime => {
    const found = host.runtimes.get(name);
    if (!found) throw new Error(`${name} is not opened in this test`);
    return found;
  };
  const identity = (asked: AskOptions): Identity => ({
    issuer: 'gateway',
    viewer: asked.as === undefined ? (options.viewer ?? null) : asked.as,
    client: asked.client,
  });
  const request = (query: string, variables: Record<string, unknown> | undefined, asked: AskOptions) => ({
    query,
    variables,
    identity: identity(asked),
    correlationId: newId('test'),
    deadline: Date.now() + DEADLINE_MS,
  });

  const app: TestApp = {
    ask: async (query, variables, asked = {}) => answered(await watched(() => runtime(asked.of).execute(request(query, variables, asked)))),
    entities: (representations, selection, asked) =>
      app.ask(
        `query ($representations: [_Any!]!) { _entities(representations: $representations) { __typename ${selection} } }`,
        { representations },
        asked,
      ),
    async subscribe(query, variables, asked = {}) {
      const stream = await watched(() => runtime(asked.of).subscribe(request(query, variables, asked)));
      if (!(Symbol.asyncIterator in stream))
        throw new Problem('REFUSED', stream.errors?.[0]?.message ?? 'refused', { code: stream.errors?.[0]?.extensions['code'] });
      return mapped(stream);
    },
    async said(type, of) {
      const asked = of ? [runtime(of)] : [...host.runtimes.values()];
      const runs = (await Promise.all(asked.map(({ db }) => enqueuedRuns(db, type)))).flat();
      const rows = (
        await Promise.all(
          asked.map(({ db }) =>
            outboxOf(db)
              .find(type ? { type } : {})
              .toArray(),
          ),
        )
      ).flat();
      // A job of another subgraph is in the outbox of one and among the runs of the other.
      const taken = new Set(runs.map(({ id }) => id));
      const events = rows.filter(({ job }) => !job || !taken.has(job.id)).map(envelopeOf);
      return [...events, ...runs].sort((a, b) => (timeOf(a.id) < timeOf(b.id) ? -1 : 1)) as Envelope<any>[];
    },
    async settled() {
      const until = Date.now() + SETTLE_MS;
      for (;;) {
        for (const each of host.runtimes.values()) await watched(each.sagas.sweep);
        for (const each of host.runtimes.values()) await watched(each.relay.flush);
        const open_ = await Promise.all(
          [...host.runtimes.values()].flatMap((each) => [each.relay.pending(), each.sagas.open(), each.jobs.pending()]),
        );
        if (open_.every((count) => count === 0)) return;
        if (Date.now() > until) throw new Error(`not settled after ${SETTLE_MS} ms`);
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    context: (of, given) => runtime(of).context({ issuer: 'test', viewer: null, ...given }),
    call: (command, input, { idempotencyKey, as = null } = {}) =>
      watched(() => app.context(first, { viewer: as }).call(command, input, idempotencyKey ? { idempotencyKey } : {})),
    runJob: (name, of) => watched(() => runtime(of).runJob(name)),
    clock,
    runtime,
    host,
    wipeRedis: () => removeKeys(host, run),
    async close() {
      const faults = (await plans?.faults(host.runtimes.values())) ?? [];
      const kit = host.client.useDb(`${run}_${KIT_DATABASE}`, { useCache: false });
      await dropDatabases([...[...host.runtimes.values()].map(({ db }) => db), kit]);
      await removeKeys(host, run);
      await host.close();
      if (faults.length > 0) throw new Error(`Queries that no index serves:\n${faults.join('\n')}`);
    },
    [Symbol.asyncDispose]: () => app.close(),
  };
  return app;
}

/** Ids sort by time behind their prefix. */
const timeOf = (id: string): string => id.slice(id.indexOf('_') + 1);

async function enqueuedRuns(db: Connection, job: string | undefined): Promise<Envelope[]> {
  const found = await jobRunsOf(db)
    .find({ ...(job && { job }) })
    .toArray();
  return found
    .filter(({ trigger }) => trigger === 'ENQUEUED')
    .map(({ _id, job: type, createdAt, correlationId, input }) => ({
      id: _id,
      type,
      version: 1,
      occurredAt: createdAt.toISOString(),
      correlationId,
      data: input,
    }));
}

function standIn(name: string, answers: Answer[]): CommandTransport {
  return {
    async call({ command, input }) {
      const found = answers.find((answer) => answer.command.name === command);
      if (!found) throw new Problem('UNKNOWN_COMMAND', `${name} is not opened in this test and nothing answers ${command}.`);
      return found.command.output.parse(await found.reply(input));
    },
  };
}

function answered({ data, errors }: ExecutionResult): Answered {
  // Through JSON, as a client would see it.
  return JSON.parse(JSON.stringify({ data, errors })) as Answered;
}

function mapped(source: AsyncIterableIterator<ExecutionResult>): AsyncIterableIterator<Answered> {
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      const { done, value } = await source.next();
      return done ? { done: true, value: undefined } : { done: false, value: answered(value as ExecutionResult) };
    },
    async return() {
      await source.return?.();
      return { done: true, value: undefined };
    },
  };
}

/** In one moment, as a Redis that was lost would be empty: what is wiped bit by bit is half filled again meanwhile. */
async function removeKeys({ redis }: Host, prefix: string): Promise<void> {
  await redis.eval("for _, key in ipairs(redis.call('KEYS', ARGV[1])) do redis.call('UNLINK', key) end", 0, `${prefix}:*`);
}
