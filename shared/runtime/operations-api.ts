import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { CommandHandler } from '../kit/define-command.ts';
import { deadLettersOf } from '../messaging/consumer.ts';
import type { AnyContext } from '../kit/context.ts';
import { notFound } from '../base/errors.ts';
import { mutation } from '../kit/mutation.ts';
import { sagasOf } from '../sagas/store.ts';
import type { SagaRow } from '../kit/define-saga.ts';
import { auditApiHandlers } from './audit-api.ts';
import { forAdmins, isAdmin } from './for-admins.ts';
import { ask, askEach, limited, Listing, newestFirst, of, operation, Row, Target } from './operations-ask.ts';

/*
 * What an operator sees of the machinery: dead letters and sagas. Every subgraph answers about its own by command; one subgraph (the one
 * with `operationsApi: true`) shows all of them in the schema.
 */

const Page = z.object({ limit: z.number().int().min(1).max(100), before: z.string().optional() });
const SagaPage = Page.extend({ saga: z.string().max(100).optional(), state: z.string().max(30).optional() });
const Id = z.object({ id: z.string().max(200) });

const commandsOf = (owner: string) => ({
  listDeadLetters: operation(owner, 'listDeadLetters', Page, Listing),
  retryDeadLetter: operation(owner, 'retryDeadLetter', Id, Row),
  listSagas: operation(owner, 'listSagas', SagaPage, Listing),
  findSaga: operation(owner, 'findSaga', Id, Row),
  retrySaga: operation(owner, 'retrySaga', Id, Row),
  compensateSaga: operation(owner, 'compensateSaga', Id.extend({ reason: z.string().max(500) }), Row),
});

export interface Operator {
  retryDeadLetter(id: string): Promise<boolean>;
  retrySaga(id: string): Promise<SagaRow>;
  compensateSaga(id: string, reason: string): Promise<SagaRow>;
}

/** The commands about its own machinery that each subgraph answers. */
export function operationsApiHandlers(owner: string, operator: () => Operator): CommandHandler[] {
  const commands = commandsOf(owner);
  return [
    ...auditApiHandlers(owner),
    forAdmins(commands.listDeadLetters, async (ctx: AnyContext, { limit, before }) => {
      const older = before ? { at: { $lt: new Date(before) } } : {};
      const found = await deadLettersOf(ctx.db).find(older).sort({ at: -1 }).limit(limit).toArray();
      return { rows: found.map((letter) => ({ ...letter, id: letter._id, at: letter.at.toISOString() })) };
    }),
    forAdmins(commands.retryDeadLetter, async (ctx: AnyContext, { id }) => {
      if (!(await operator().retryDeadLetter(id))) throw notFound('DeadLetter', id, ['input', 'id']);
      return { row: { id } };
    }),
    forAdmins(commands.listSagas, async (ctx: AnyContext, { limit, before, saga, state }) => {
      const filter = {
        ...(saga && { saga }),
        ...(state && { state: state as SagaRow['state'] }),
        ...(before && { startedAt: { $lt: new Date(before) } }),
      };
      const found = await sagasOf(ctx.db).find(filter).sort({ startedAt: -1 }).limit(limit).toArray();
      return { rows: found.map((row) => shown(row)) };
    }),
    forAdmins(commands.findSaga, async (ctx: AnyContext, { id }) => {
      const row = await sagasOf(ctx.db).findOne({ _id: id });
      return { row: row && shown(row) };
    }),
    forAdmins(commands.retrySaga, async (_ctx: AnyContext, { id }) => ({ row: shown(await operator().retrySaga(id)) })),
    forAdmins(commands.compensateSaga, async (_ctx: AnyContext, { id, reason }) => ({
      row: shown(await operator().compensateSaga(id, reason)),
    })),
  ];
}

/** Without the input and results: they hold what the domain knows of people. */
const shown = (row: SagaRow): Record<string, unknown> => ({
  id: row._id,
  name: row.saga,
  version: row.version ?? 1,
  key: row.key,
  state: row.state,
  attempts: row.attempts,
  correlationId: row.correlationId,
  refusalCode: row.refusal?.code ?? null,
  refusalMessage: row.refusal?.message ?? null,
  startedAt: row.startedAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  steps: row.history.map(({ step, outcome, at, message }) => ({ name: step, outcome, at: at.toISOString(), message: message ?? null })),
});

interface ListArgs {
  subgraph?: string | null;
  first: number;
  before?: Date;
  name?: string;
  state?: string;
}

export const sagaTypeDefs = readFileSync(join(import.meta.dirname, 'operations-api.graphql'), 'utf8');

export const operationsApiResolvers = {
  Query: {
    deadLetters: async (_root: unknown, { subgraph, first, before }: ListArgs, ctx: AnyContext) => {
      const page = { limit: limited(first), before: before?.toISOString() };
      const rows = await askEach(ctx, subgraph, (name) => [commandsOf(name).listDeadLetters, page]);
      return newestFirst(rows, 'at', first).map((row) => ({ ...row, ...(row['envelope'] as object), id: row['id'] }));
    },
    sagas: async (_root: unknown, { subgraph, first, before, name, state }: ListArgs, ctx: AnyContext) => {
      const page = { limit: limited(first), before: before?.toISOString(), saga: name, state };
      return newestFirst(await askEach(ctx, subgraph, (each) => [commandsOf(each).listSagas, page]), 'startedAt', first);
    },
    saga: async (_root: unknown, { subgraph, id }: { subgraph: string; id: string }, ctx: AnyContext) => {
      const { row } = await ask(ctx, subgraph, (name) => commandsOf(name).findSaga, { id });
      return row && of(subgraph)(row);
    },
  },
  Mutation: {
    retryDeadLetter: mutation(
      Target,
      async (ctx: AnyContext, { subgraph, id }) => (await ask(ctx, subgraph, (name) => commandsOf(name).retryDeadLetter, { id })).row ?? {},
      { transaction: false },
    ),
    retrySaga: mutation(
      Target,
      async (ctx: AnyContext, { subgraph, id }) => ({
        saga: of(subgraph)((await ask(ctx, subgraph, (name) => commandsOf(name).retrySaga, { id })).row ?? {}),
      }),
      { transaction: false },
    ),
    compensateSaga: mutation(
      Target.extend({ reason: z.string().trim().min(1).max(500) }),
      async (ctx: AnyContext, { subgraph, id, reason }) => ({
        saga: of(subgraph)((await ask(ctx, subgraph, (name) => commandsOf(name).compensateSaga, { id, reason })).row ?? {}),
      }),
      { transaction: false, audit: { keep: ['subgraph', 'reason'] } },
    ),
  },
};

export const operationsApiPermissions = {
  Query: { deadLetters: isAdmin, sagas: isAdmin, saga: isAdmin },
  Mutation: { retryDeadLetter: isAdmin, retrySaga: isAdmin, compensateSaga: isAdmin },
};
