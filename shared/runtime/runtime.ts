import { getOperationAST, GraphQLError, parse, validate, type DocumentNode, type ExecutionResult } from 'graphql';
import type { Redis } from 'ioredis';
import { LRUCache } from 'lru-cache';
import type { Connection, Model } from 'mongoose';
import type { Logger } from 'pino';
import { createSealer, type Sealer } from '../audit/sealer.ts';
import { AuditSettings } from '../audit/settings.ts';
import { createAuditWriter } from '../audit/writer.ts';
import { createAdmission, type Admission, type Wanted } from '../base/admission.ts';
import { readAdmissionLimits } from '../base/admission-settings.ts';
import { createCommands, type Commands } from './command-bus.ts';
import { createConsumer, type Consumer } from '../messaging/consumer.ts';
import { consumersOfHandlers, consumerQueue, type ConsumerRegistry } from '../messaging/consumers.ts';
import type { AnyContext } from '../kit/context.ts';
import { createContexts } from './create-context.ts';
import { maskError } from '../base/errors.ts';
import { parseEnv } from '../base/env.ts';
import { createCompiledExecution } from './compiled-execution.ts';
import { newId } from '../base/ids.ts';
import type { Identity } from '../base/identity.ts';
import { createJobs, type Jobs } from '../jobs/jobs.ts';
import { databaseName } from '../store/database-name.ts';
import { createLeases } from '../store/leases.ts';
import type { Live } from '../live/live.ts';
import { createMigrations } from './migrations.ts';
import { prepareDatabase } from './prepare-database.ts';
import { createOrphanedSessions } from '../store/orphaned-sessions.ts';
import type { Queues } from '../messaging/queues.ts';
import { openProviders } from '../providers/define-provider.ts';
import { createRelay, type Relay } from '../messaging/outbox-relay.ts';
import { createRouteRequests } from './route-requests.ts';
import { runSubscription } from './run-subscription.ts';
import { extensionsFor } from '../kit/entity-max-age.ts';
import { createSagaRunner, type SagaRunner } from '../sagas/runner.ts';
import { buildSchema, completeTypeDefs } from './build-schema.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import { applyVariables } from './setting-definitions.ts';
import type { TemplateRegistry } from '../templates/registry.ts';
import type { SettingsClient } from '../settings/settings-client.ts';
import type { CommandRequest, CommandTransport, SubgraphRequest, SubgraphTransport } from '../kit/transport.ts';

/** The connections and services that the process shares with its subgraphs. */
export interface HostServices {
  client: Connection;
  redis: Redis;
  workerConnection: Redis;
  queues: Queues;
  live: Live;
  holder: string;
  log: Logger;
  databasePrefix: string;
  redisPrefix: string;
  now(): Date;
  registry: ConsumerRegistry;
  templates: TemplateRegistry;
  /** Names of all subgraphs of the system. */
  subgraphNames: readonly string[];
  peer(name: string): CommandTransport;
  /** False: no workers, relay and sweeper; a test runs them. */
  background: boolean;
  environment: Readonly<Record<string, string | undefined>>;
  settings: SettingsClient;
  /** Admission to the whole process. */
  admission: Admission;
}

/** A subgraph that is open in this process. */
export interface OpenSubgraph extends SubgraphTransport, CommandTransport {
  name: string;
  /** Complete SDL: the kit's common types and the subgraph's own. */
  typeDefs: string;
  health(): Promise<{ mongodb: 'up' | 'down'; redis: 'up' | 'down' }>;
  close(): Promise<void>;
}

/** The inside of an open subgraph, for its host and for tests. */
export interface Runtime extends OpenSubgraph {
  db: Connection;
  models: Model<unknown>[];
  relay: Relay;
  sagas: SagaRunner;
  sealer: Sealer;
  consumers: Consumer[];
  jobs: Jobs;
  commands: Commands;
  /** A context of its own: for jobs, preparation and tests. */
  context(identity: Identity): AnyContext;
  runJob(name: string): Promise<unknown>;
  /** Starts relay, sweeper and jobs. Called once all subgraphs of the process are open, since sagas of one need the others. */
  start(): Promise<void>;
}

const MAX_DOCUMENTS = 2_000;
const HEALTH_MS = 1_000;

/** Connects models, creates indexes, starts workers, and answers requests and commands. */
export async function openRuntime(subgraph: Subgraph, host: HostServices, replacements?: object): Promise<Runtime> {
  const { name } = subgraph;
  const log = host.log.child({ subgraph: name });
  const db = host.client.useDb(databaseName(host.databasePrefix, name), { useCache: false });
  const models = subgraph.models(db) as Record<string, Model<unknown>>;
  const environment = subgraph.environment && parseEnv(subgraph.environment, host.environment);
  const opened = openProviders(subgraph.providers(environment), { ...host, log }, replacements);
  const orphanedSessions = createOrphanedSessions(db, host.holder);
  await orphanedSessions.killOrphaned().catch((error) => log.warn({ err: error }, 'orphaned sessions stay open until the store ends them'));
  const migrations = createMigrations({ ...host, subgraph, db, models, providers: opened.providers, orphanedSessions, log });
  await prepareDatabase({ subgraph, db, models, migrations });
  await host.templates.register(subgraph.templates);
  await host.registry.register(consumersOfHandlers(name, subgraph.handlers));
  applyVariables(subgraph, host.environment, host.settings);
  const leases = createLeases(db);
  const { AUDIT_RETENTION_YEARS: keptYears } = parseEnv(AuditSettings, host.environment);
  const sealer = createSealer({ subgraph: name, db, leases, holder: host.holder, log, keptYears });
  const audit = createAuditWriter({ db, log });
  const relay = createRelay({ ...host, subgraph: name, db, prefix: host.redisPrefix, leases, log });
  const contexts = createContexts({
    subgraph,
    db,
    models,
    providers: opened.providers,
    host,
    log,
    relay,
    sagas: () => sagas,
    jobs: () => jobs,
    orphanedSessions,
    audit,
  });
  const sagas = createSagaRunner({
    db,
    sagas: subgraph.sagas,
    holder: host.holder,
    log,
    now: host.now,
    contextFor: (row, limits) => contexts.create({ identity: row.identity as Identity, correlationId: row.correlationId, ...limits }),
  });
  const commands = createCommands(subgraph, contexts, () => ({
    retryDeadLetter: (id) => anySucceeds([jobs.operations.retryLetter, ...consumers.map(({ retry }) => retry)], (retry) => retry(id)),
    retrySaga: sagas.retry,
    compensateSaga: sagas.compensate,
    jobs: jobs.operations,
  }));
  const events = subgraph.handlers.filter((handler) => handler.kind === 'event');
  const consumers = [
    ...(events.length > 0 ? [openConsumer(name, events)] : []),
    ...subgraph.handlers
      .filter((handler) => handler.kind === 'batch')
      .map((handler) => openConsumer(consumerQueue(name, handler.name), handler)),
  ];
  const jobs = createJobs({
    ...host,
    subgraph: name,
    handlers: subgraph.handlers.filter((handler) => handler.kind === 'job'),
    schedules: subgraph.handlers.filter((handler) => handler.kind === 'schedule'),
    db,
    leases,
    prefix: host.redisPrefix,
    log,
    contextFor: (correlationId, limits) => contexts.create({ identity: serviceIdentity, correlationId, ...limits }),
  });
  const schema = buildSchema(subgraph);
  const documents = new LRUCache<string, DocumentNode>({ max: MAX_DOCUMENTS });

  function openConsumer(queue: string, handlers: Parameters<typeof createConsumer>[0]['handlers']): Consumer {
    return createConsumer({
      queue,
      handlers,
      db,
      workerConnection: host.workerConnection,
      queues: host.queues,
      autorun: host.background,
      prefix: host.redisPrefix,
      log,
      contextFor: (correlationId) => contexts.create({ identity: serviceIdentity, correlationId }),
    });
  }

  const serviceIdentity: Identity = { issuer: name, viewer: null };

  /** The valid document, or its errors. Each text is validated once. */
  function parseAndValidate(query: string): DocumentNode | GraphQLError[] {
    const known = documents.get(query);
    if (known) return known;
    try {
      const document = parse(query, { noLocation: true, maxTokens: 50_000 });
      const errors = validate(schema, document);
      if (errors.length > 0) return [...errors];
      documents.set(query, document);
      return document;
    } catch (error) {
      // Rules of graphql-js throw at documents that they did not expect, such as a subscription whose root field depends on a variable.
      return [
        error instanceof GraphQLError ? error : new GraphQLError('This document cannot be validated.', { originalError: error as Error }),
      ];
    }
  }

  const maskResult = (result: ExecutionResult, correlationId: string): ExecutionResult =>
    result.errors ? { ...result, errors: result.errors.map((error) => asGraphQLError(error, correlationId)) } : result;

  const asGraphQLError = (error: unknown, correlationId: string): GraphQLError => {
    const { message, path, extensions } = maskError(error, { correlationId, log });
    return new GraphQLError(message, { path, extensions });
  };

  function prepare(request: SubgraphRequest) {
    const document = parseAndValidate(request.query);
    if (Array.isArray(document)) return { errors: document.map((error) => asGraphQLError(error, request.correlationId)) };
    // A mutation that has begun is finished after a disconnect.
    const isQuery = getOperationAST(document, request.operationName)?.operation === 'query';
    const contextValue = contexts.create(isQuery ? request : { ...request, signal: undefined, disconnectSignal: disconnectOf(request) });
    return {
      args: { document, contextValue, variableValues: request.variables, operationName: request.operationName },
    };
  }

  const run = createCompiledExecution(schema);
  const limits = readAdmissionLimits(host.environment);
  const requestAdmission = createAdmission(limits.subgraph);
  const commandAdmission = createAdmission(limits.commands);

  /** Waits for admission to this subgraph, then to the process. */
  const admitted = <T>(wanted: Wanted, work: () => Promise<T>): Promise<T> =>
    requestAdmission.run(() => host.admission.run(work, wanted), wanted);

  async function execute(request: SubgraphRequest): Promise<ExecutionResult> {
    const { args, errors } = prepare(request);
    if (!args) return { errors };
    const answer = maskResult(await run(args), request.correlationId);
    return { ...answer, ...extensionsFor(args.contextValue) };
  }

  const runtime: Runtime = {
    name,
    typeDefs: completeTypeDefs(subgraph),
    db,
    models: Object.values(models),
    relay,
    sagas,
    sealer,
    consumers,
    jobs,
    commands,
    context: (identity) => contexts.create({ identity, correlationId: newId('ctx') }),
    runJob: jobs.run,
    execute: (request) =>
      admitted({ deadline: request.deadline, signal: disconnectOf(request), caller: request.identity.viewer?.id }, () => execute(request)),
    request: createRouteRequests({ routes: subgraph.routes, contexts, now: host.now, admitted }),
    async subscribe(request) {
      // A stream outlives its request: each event has its own deadline.
      const { args, errors } = prepare({ ...request, deadline: Number.POSITIVE_INFINITY });
      if (!args) return { errors };
      return runSubscription({
        args: { schema, ...args },
        execute: run,
        wantsStart: request.wantsStart ?? false,
        maskResult: (result) => maskResult(result, request.correlationId),
        failure: (error) => asGraphQLError(error, request.correlationId),
      });
    },
    // Commands belong to admitted work, so they have an admission of their own that new work cannot fill.
    call: (request: CommandRequest) => commandAdmission.run(() => commands.handle(request), request),
    async health() {
      const up = (check: Promise<unknown>): Promise<'up' | 'down'> =>
        Promise.race([
          check.then(
            () => 'up' as const,
            () => 'down' as const,
          ),
          new Promise<'down'>((resolve) => setTimeout(resolve, HEALTH_MS, 'down').unref()),
        ]);
      const [mongodb, redis] = await Promise.all([up(db.db!.command({ ping: 1 })), up(host.redis.ping())]);
      return { mongodb, redis };
    },
    async start() {
      relay.start();
      sealer.start();
      await sagas.startSweeper();
      await jobs.start();
    },
    async close() {
      await Promise.all([jobs, ...consumers].map((each) => each.close()));
      await sagas.stop();
      await audit.close();
      await sealer.stop();
      await relay.stop();
      await opened.close();
      await orphanedSessions.close().catch(() => undefined);
    },
  };

  if (subgraph.prepare) await subgraph.prepare(runtime.context(serviceIdentity) as never);
  return runtime;
}

async function anySucceeds<T>(list: T[], attempt: (entry: T) => Promise<boolean>): Promise<boolean> {
  for (const entry of list) if (await attempt(entry)) return true;
  return false;
}

const disconnectOf = ({ signal, disconnectSignal }: SubgraphRequest): AbortSignal | undefined => signal ?? disconnectSignal;
