import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Connection } from 'mongoose';
import type { z } from 'zod';
import type { CommandHandler } from './define-command.ts';
import type { AnyContext, Context } from './context.ts';
import type { EventHandler } from './define-event.ts';
import type { JobHandler } from './define-job.ts';
import type { Permissions } from './permissions.ts';
import type { SameForAll } from './entity-max-age.ts';
import type { Saga } from './define-saga.ts';

export type Handler<C extends AnyContext = AnyContext> = EventHandler<C> | CommandHandler<C> | JobHandler<C>;

// oxlint-disable-next-line typescript/no-explicit-any -- resolvers of any shape; their parents are typed where they stand
export type Resolvers = Record<string, any>;

/** A subgraph as its folder declares it: put together in `subgraph.ts`, opened by a host, a test or on its own. */
export interface Subgraph<M = any, L = any, P = any> {
  name: string;
  /** The SDL of the folder, without the kit's preamble. */
  schema: string;
  models: (db: Connection) => M;
  loaders: (models: M, ctx: Context<M, unknown, P>) => L;
  resolvers: Resolvers;
  permissions: Permissions;
  /** By type; what is not here may look different to everyone, as far as a cache is concerned. */
  sameForAll: Readonly<Record<string, SameForAll>>;
  handlers: Handler<any>[];
  sagas: Saga<any, any>[];
  /** Third parties, made once for the process; a test hands in others. */
  ports: (settings: unknown) => P;
  /** What of the environment the ports need. */
  settings: z.ZodType | undefined;
  /** Work that must be there before the first request (a first key pair, say); safe to repeat. */
  prepare: ((ctx: Context<M, L, P>) => Promise<unknown>) | undefined;
  /** True for the one subgraph that shows dead letters and sagas of all to admins. */
  operations: boolean;
}

interface SubgraphOptions<M, L, P, S extends z.ZodType> {
  name: string;
  /** `import.meta.dirname`: the folder with `schema.graphql` (or a folder `schema/` of several). */
  folder: string;
  models: (db: Connection) => M;
  loaders: (models: M, ctx: Context<M, unknown, P>) => L;
  resolvers: Resolvers;
  permissions: Permissions;
  sameForAll?: Readonly<Record<string, SameForAll<any, Context<M, L, P>>>>;
  handlers?: Handler<any>[];
  sagas?: Saga<any, any>[];
  settings?: S;
  ports?: (settings: z.infer<S>) => P;
  prepare?: (ctx: Context<M, L, P>) => Promise<unknown>;
  operations?: boolean;
}

/** Declares a subgraph. Nothing is opened yet. */
export function defineSubgraph<M, L, P, S extends z.ZodType>(options: SubgraphOptions<M, L, P, S>): Subgraph<M, L, P> {
  const { name, folder, models, loaders, resolvers, permissions } = options;
  return {
    name,
    schema: readSchema(folder),
    models,
    loaders,
    resolvers,
    permissions,
    sameForAll: options.sameForAll ?? {},
    handlers: options.handlers ?? [],
    sagas: options.sagas ?? [],
    ports: (options.ports ?? (() => ({}))) as Subgraph<M, L, P>['ports'],
    settings: options.settings,
    prepare: options.prepare,
    operations: options.operations ?? false,
  };
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
