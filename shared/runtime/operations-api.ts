import { z } from 'zod';
import { auditApiHandlers } from './audit-api.ts';
import { forAdmins, isAdmin } from './for-admins.ts';
import { defineCommand, type Command, type CommandHandler } from '../kit/define-command.ts';
import { deadLettersOf } from '../messaging/consumer.ts';
import type { AnyContext } from '../kit/context.ts';
import { notFound, Problem } from '../base/errors.ts';
import { mutation } from '../kit/mutation.ts';
import { sagasOf } from '../sagas/store.ts';
import type { SagaRow } from '../kit/define-saga.ts';

/*
 * What an operator sees of the machinery: dead letters and sagas. Every subgraph answers about its own by command; one subgraph (the one
 * with `operationsApi: true`) shows all of them in the schema.
 */

const Page = z.object({ limit: z.number().int().min(1).max(100), before: z.string().optional() });
const SagaPage = Page.extend({ saga: z.string().max(100).optional(), state: z.string().max(30).optional() });
const Id = z.object({ id: z.string().max(200) });
const Listing = z.object({ rows: z.array(z.record(z.string(), z.unknown())) });
const Row = z.object({ row: z.record(z.string(), z.unknown()).nullable() });

type Operation = 'listDeadLetters' | 'retryDeadLetter' | 'listSagas' | 'findSaga' | 'retrySaga' | 'compensateSaga';

const command = <I, O>(owner: string, name: Operation, input: z.ZodType<I>, output: z.ZodType<O>): Command<I, O> =>
  defineCommand(owner, `operations-${name}`, { input, output, timeoutMs: 30_000 });

const commandsOf = (owner: string) => ({
  listDeadLetters: command(owner, 'listDeadLetters', Page, Listing),
  retryDeadLetter: command(owner, 'retryDeadLetter', Id, Row),
  listSagas: command(owner, 'listSagas', SagaPage, Listing),
  findSaga: command(owner, 'findSaga', Id, Row),
  retrySaga: command(owner, 'retrySaga', Id, Row),
  compensateSaga: command(owner, 'compensateSaga', Id.extend({ reason: z.string().max(500) }), Row),
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

export const operationsApiTypeDefs = /* GraphQL */ `
  "A delivery of an event, or a run of a scheduled job, that was given up after all attempts, stored for an operator. For admins."
  type DeadLetter @tag(name: "admin") {
    "Queue and event id, or queue and name of the job."
    id: ID!
    "Subgraph that could not handle it."
    subgraph: String!
    "Queue it lay on."
    queue: String!
    "Subgraph that said it, or whose job it is."
    from: String!
    "Name of the event or of the job."
    type: String!
    "Code of the last error."
    code: String!
    "Text of the last error."
    message: String!
    "How often it was tried."
    attempts: Int!
    "When it was given up."
    at: DateTime!
    "Links the log lines of everything that belongs together."
    correlationId: String!
  }

  "Where a saga stands. Values may be added."
  enum SagaState @tag(name: "admin") {
    "Steps are being run."
    RUNNING
    "Waits for an event."
    WAITING
    "Steps are being undone."
    COMPENSATING
    "All steps are done."
    DONE
    "Everything was undone."
    COMPENSATED
    "A compensation failed: an operator must decide."
    STUCK
    "No process at work knows its version or its step. It goes on by itself with a build that does."
    PARKED
  }

  "One entry of a saga's history. For admins."
  type SagaStep @tag(name: "admin") {
    "Name of the step."
    name: String!
    "DONE, UNDONE, REFUSED, RETRIED (several attempts in a row are one entry), WAITS, TIMED_OUT or PARKED. Values may be added."
    outcome: String!
    "When it happened."
    at: DateTime!
    "Code or text of an error."
    message: String
  }

  "A business process over several subgraphs. For admins."
  type Saga @tag(name: "admin") {
    "Begins with saga_."
    id: ID!
    "Subgraph that runs it."
    subgraph: String!
    "Kind of the process."
    name: String!
    "Version of the steps by which it goes on: that of the build that began it."
    version: Int!
    "What it is about: an id of the domain."
    key: String!
    "Where it stands."
    state: SagaState!
    "Failed tries of the step it stands at."
    attempts: Int!
    "Why it is compensated, as a code."
    refusalCode: String
    "Why it is compensated, as a sentence."
    refusalMessage: String
    "When it began."
    startedAt: DateTime!
    "Last change."
    updatedAt: DateTime!
    "Links the log lines of everything that belongs together."
    correlationId: String!
    "What happened so far, oldest first."
    steps: [SagaStep!]!
  }

  extend type Query {
    "Deliveries and runs of jobs of one subgraph that were given up, newest first. For admins."
    deadLetters(
      "Which subgraph."
      subgraph: String!
      "At most 100."
      first: Int = 50
      "Only those given up before."
      before: DateTime
    ): [DeadLetter!] @policy(policies: [["role:admin"]]) @tag(name: "admin") @listSize(slicingArguments: ["first"])
    "Sagas of one subgraph, newest first. For admins."
    sagas(
      "Which subgraph."
      subgraph: String!
      "Kind of the process."
      name: String
      "Where they stand."
      state: SagaState
      "At most 100."
      first: Int = 50
      "Only those begun before."
      before: DateTime
    ): [Saga!] @policy(policies: [["role:admin"]]) @tag(name: "admin") @listSize(slicingArguments: ["first"])
    "One saga with each of its steps. For admins."
    saga("Which subgraph." subgraph: String!, "Its id." id: ID!): Saga @policy(policies: [["role:admin"]]) @tag(name: "admin")
  }

  "Names a dead letter."
  input RetryDeadLetterInput @tag(name: "admin") {
    "Which subgraph."
    subgraph: String!
    "Its id."
    id: ID!
  }

  "Answer of retryDeadLetter."
  type RetryDeadLetterPayload @tag(name: "admin") {
    "The dead letter that was handled after all."
    id: ID
    "Refusals: NOT_FOUND, JOB_RUNNING, and those of the handler."
    userErrors: [UserError!]!
  }

  "Names a saga."
  input RetrySagaInput @tag(name: "admin") {
    "Which subgraph."
    subgraph: String!
    "Its id."
    id: ID!
  }

  "Answer of retrySaga."
  type RetrySagaPayload @tag(name: "admin") {
    "The saga as it stands now."
    saga: Saga
    "Refusals: NOT_FOUND."
    userErrors: [UserError!]!
  }

  "The saga to compensate, and why."
  input CompensateSagaInput @tag(name: "admin") {
    "Which subgraph."
    subgraph: String!
    "Its id."
    id: ID!
    "For the record."
    reason: String!
  }

  "Answer of compensateSaga."
  type CompensateSagaPayload @tag(name: "admin") {
    "The saga as it stands now."
    saga: Saga
    "Refusals: NOT_FOUND, SAGA_NOT_OPEN."
    userErrors: [UserError!]!
  }

  extend type Mutation {
    "Handles a dead letter once more: delivers its event, or runs its job. Refusals: NOT_FOUND, JOB_RUNNING. For admins."
    retryDeadLetter("Which one." input: RetryDeadLetterInput!): RetryDeadLetterPayload!
      @policy(policies: [["role:admin"]])
      @tag(name: "admin")
    "Tries the step at which a saga stands again, now. For admins."
    retrySaga("Which one." input: RetrySagaInput!): RetrySagaPayload! @policy(policies: [["role:admin"]]) @tag(name: "admin")
    "Turns a saga back that is open, STUCK or PARKED: everything it did is undone. For admins."
    compensateSaga("Which one and why." input: CompensateSagaInput!): CompensateSagaPayload!
      @policy(policies: [["role:admin"]])
      @tag(name: "admin")
  }

  extend enum UserErrorCode {
    "The saga has ended or is turning back already."
    SAGA_NOT_OPEN
    "The job of the dead letter is running at the moment."
    JOB_RUNNING
    "No subgraph has this name."
    UNKNOWN_SUBGRAPH
  }
`;

const subgraphName = z.string().regex(/^[a-z]{1,40}$/, 'must be the name of a subgraph');
const Target = z.object({ subgraph: subgraphName, id: z.string().min(1).max(200) });

/** Asks the subgraph that is named; a name that is none is the caller's mistake. */
async function ask<I, O>(
  ctx: AnyContext,
  subgraph: string,
  pick: (commands: ReturnType<typeof commandsOf>) => Command<I, O>,
  input: I,
): Promise<O> {
  if (!subgraphName.safeParse(subgraph).success)
    throw new Problem('UNKNOWN_SUBGRAPH', 'There is no such subgraph.', { path: ['subgraph'] });
  return ctx.call(pick(commandsOf(subgraph)), input);
}

interface ListArgs {
  subgraph: string;
  first: number;
  before?: Date;
  name?: string;
  state?: string;
}

const limited = (first: number): number => {
  if (first < 1 || first > 100) throw new Problem('INVALID', 'Ask for 1 to 100.', { path: ['first'] });
  return first;
};

const of = (subgraph: string) => (row: Record<string, unknown>) => ({ ...row, subgraph });

export const operationsApiResolvers = {
  Query: {
    deadLetters: async (_root: unknown, { subgraph, first, before }: ListArgs, ctx: AnyContext) => {
      const { rows } = await ask(ctx, subgraph, (commands) => commands.listDeadLetters, {
        limit: limited(first),
        before: before?.toISOString(),
      });
      return rows.map((row) => ({ ...row, ...(row['envelope'] as object), id: row['id'], subgraph }));
    },
    sagas: async (_root: unknown, { subgraph, first, before, name, state }: ListArgs, ctx: AnyContext) => {
      const page = { limit: limited(first), before: before?.toISOString(), saga: name, state };
      return (await ask(ctx, subgraph, (commands) => commands.listSagas, page)).rows.map(of(subgraph));
    },
    saga: async (_root: unknown, { subgraph, id }: { subgraph: string; id: string }, ctx: AnyContext) => {
      const { row } = await ask(ctx, subgraph, (commands) => commands.findSaga, { id });
      return row && of(subgraph)(row);
    },
  },
  Mutation: {
    retryDeadLetter: mutation(
      Target,
      async (ctx: AnyContext, { subgraph, id }) => (await ask(ctx, subgraph, (commands) => commands.retryDeadLetter, { id })).row ?? {},
      { transaction: false },
    ),
    retrySaga: mutation(
      Target,
      async (ctx: AnyContext, { subgraph, id }) => ({
        saga: of(subgraph)((await ask(ctx, subgraph, (commands) => commands.retrySaga, { id })).row ?? {}),
      }),
      { transaction: false },
    ),
    compensateSaga: mutation(
      Target.extend({ reason: z.string().trim().min(1).max(500) }),
      async (ctx: AnyContext, { subgraph, id, reason }) => ({
        saga: of(subgraph)((await ask(ctx, subgraph, (commands) => commands.compensateSaga, { id, reason })).row ?? {}),
      }),
      { transaction: false, audit: { keep: ['subgraph', 'reason'] } },
    ),
  },
};

export const operationsApiPermissions = {
  Query: { deadLetters: isAdmin, sagas: isAdmin, saga: isAdmin },
  Mutation: { retryDeadLetter: isAdmin, retrySaga: isAdmin, compensateSaga: isAdmin },
};
