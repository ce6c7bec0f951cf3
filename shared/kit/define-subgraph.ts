import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from 'mongoose';
import type { z } from 'zod';
import type { CommandHandler } from './define-command.ts';
import type { AnyContext, Context } from './context.ts';
import type { BatchHandler } from './batch-handler.ts';
import type { EventHandler } from './define-event.ts';
import type { JobHandler, JobSchedule } from './define-job.ts';
import { routeEntries, type Route } from './define-route.ts';
import { refuseUnordered, type Migration } from './migration.ts';
import type { Permissions } from './permissions.ts';
import type { Opened } from '../providers/define-provider.ts';
import type { EntityMaxAge } from './entity-max-age.ts';
import { refuseSameVersions, type Saga } from './define-saga.ts';
import type { Template } from '../templates/define-templates.ts';
import type { Flag, Setting } from '../settings/definitions.ts';

export type Handler<C extends AnyContext = AnyContext> =
  | EventHandler<C>
  | BatchHandler<C>
  | CommandHandler<C>
  | JobHandler<C>
  | JobSchedule;

// oxlint-disable-next-line typescript/no-explicit-any -- resolvers of any shape; their parents are typed where they stand
export type Resolvers = Record<string, any>;

/** The manifest of a subgraph: declared in `subgraph.ts`; opened by a host, a test or its own process. */
export interface Subgraph<M = any, L = any, P = any> {
  name: string;
  folder: string;
  /** The SDL of the folder, without the kit's common types. */
  schema: string;
  models: (db: Connection) => M;
  loaders: (models: M, ctx: Context<M, unknown, P>) => L;
  resolvers: Resolvers;
  permissions: Permissions;
  /** By type. A cache assumes that entities of any other type depend on the viewer. */
  publicMaxAge: Readonly<Record<string, EntityMaxAge>>;
  handlers: Handler<any>[];
  /** Each version of which rows may be open. */
  sagas: Saga<any, any>[];
  /** What it serves over HTTP beside GraphQL. */
  routes: Route<any>[];
  /** Changes of stored data, oldest first. */
  migrations: Migration[];
  /** Adapters of third parties, opened once per process by `openProviders`; a test passes replacements. */
  providers: (environment: unknown) => object;
  /** The environment variables of the providers. */
  environment: z.ZodType | undefined;
  /** Messages that it sends: `defineTemplates`. */
  templates: Template<any>[];
  /** Values that admins change while it runs. */
  settings: Setting<any, any>[];
  flags: Flag<any>[];
  /** Runs before the first request (makes a first key pair, say); must be safe to repeat. */
  prepare: ((ctx: Context<M, L, P>) => Promise<unknown>) | undefined;
  /** True for the one subgraph that serves the operations API: dead letters and sagas of all subgraphs, for admins. */
  operationsApi: boolean;
}

interface SubgraphOptions<M, L, D extends object, S extends z.ZodType, P = Opened<D>> {
  name: string;
  /** `import.meta.dirname`: the folder with `schema.graphql` (or a folder `schema/` of several). */
  folder: string;
  models: (db: Connection) => M;
  loaders: (models: M, ctx: Context<M, unknown, P>) => L;
  resolvers: Resolvers;
  permissions: Permissions;
  publicMaxAge?: Readonly<Record<string, EntityMaxAge<any, Context<M, L, P>>>>;
  handlers?: Handler<any>[];
  sagas?: Saga<any, any>[];
  routes?: Route<any>[];
  environment?: S;
  templates?: Readonly<Record<string, Template<any>>>;
  settings?: Readonly<Record<string, Setting<any, any>>>;
  flags?: Readonly<Record<string, Flag<any>>>;
  /** Definitions of `defineProvider` and `oneOf`, and values that are what they are; a function where these come from the environment. */
  providers?: D | ((environment: z.infer<S>) => D);
  migrations?: Migration[];
  prepare?: (ctx: Context<M, L, P>) => Promise<unknown>;
  operationsApi?: boolean;
}

/** Declares a subgraph. Nothing is opened yet. */
export function defineSubgraph<M, L, D extends object, S extends z.ZodType>(
  options: SubgraphOptions<M, L, D, S>,
): Subgraph<M, L, Opened<D>> {
  const { name, folder, models, loaders, resolvers, permissions, routes = [], providers: listed = {} } = options;
  refuseSameVersions(name, options.sagas ?? []);
  routeEntries(name, routes); // Throws for a path that cannot be mounted.
  refuseUnordered(name, options.migrations ?? []);
  return {
    name,
    folder,
    schema: readSchema(folder),
    models,
    loaders,
    resolvers,
    permissions,
    publicMaxAge: options.publicMaxAge ?? {},
    handlers: [...(options.handlers ?? []), ...routes.flatMap(({ handlers }) => handlers)],
    sagas: options.sagas ?? [],
    routes,
    migrations: options.migrations ?? [],
    providers: (environment) => (typeof listed === 'function' ? (listed as (given: unknown) => D)(environment) : listed),
    environment: options.environment,
    templates: Object.values(options.templates ?? {}),
    settings: ownedBy(name, options.settings),
    flags: ownedBy(name, options.flags),
    prepare: options.prepare,
    operationsApi: options.operationsApi ?? false,
  };
}

/** Values are registered by their owner, so nobody else can list a definition. */
function ownedBy<D extends { id: string; owner: string }>(name: string, definitions: Readonly<Record<string, D>> = {}): D[] {
  const list = Object.values(definitions);
  const foreign = list.find(({ owner }) => owner !== name);
  if (foreign) throw new Error(`${name} lists ${foreign.id}, which ${foreign.owner} defines`);
  return list;
}

/** The SDL of a folder: `schema.graphql`, or all files of `schema/` in the order of their names. */
function readSchema(folder: string): string {
  const single = join(folder, 'schema.graphql');
  if (existsSync(single)) return readFileSync(single, 'utf8');
  const many = join(folder, 'schema');
  return readdirSync(many)
    .filter((file) => file.endsWith('.graphql'))
    .sort()
    .map((file) => readFileSync(join(many, file), 'utf8'))
    .join('\n');
}
