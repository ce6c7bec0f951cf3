import { Schema, type Connection, type InferSchemaType } from 'mongoose';
import { z } from 'zod';
import { handleCommand, defineCommand } from '../../kit/define-command.ts';
import type { Context } from '../../kit/context.ts';
import { Problem } from '../../base/errors.ts';
import { defineEvent, onEvent } from '../../kit/define-event.ts';
import { newId } from '../../base/ids.ts';
import { idempotencyKey, text } from '../../base/input.ts';
import { scheduledJob } from '../../kit/define-job.ts';
import { mutation } from '../../kit/mutation.ts';
import { allow, isSignedIn } from '../../kit/permissions.ts';
import { retain } from '../../store/retention.ts';
import { defineSaga } from '../../kit/define-saga.ts';
import { defineSubgraph } from '../../kit/define-subgraph.ts';

/* A subgraph of the kit's own tests: boards are created, counted by their own event, and passed through a saga. */

const boardSchema = new Schema(
  {
    _id: { type: String, default: () => newId('brd') },
    title: { type: String, required: true },
    count: { type: Number, default: 0 },
    trail: { type: [String], default: [] },
  },
  { versionKey: false },
);

retain(boardSchema, { few: 'boards of tests' });

export type Board = InferSchemaType<typeof boardSchema>;
const models = (db: Connection) => ({ Board: db.model('Board', boardSchema) });
export type Models = ReturnType<typeof models>;
const loaders = ({ Board }: Models) => ({ board: (id: string) => Board.findById(id).lean() });
export type Ctx = Context<Models, ReturnType<typeof loaders>>;

const boardCreated = defineEvent('Board.Created', z.object({ boardId: z.string(), title: z.string() }), {
  topics: () => ['boards:all'],
});

const CreateBoard = z.object({ title: text({ min: 1, max: 50 }), idempotencyKey: idempotencyKey().optional() });

async function createBoard(ctx: Ctx, { title }: { title: string }) {
  if (title === 'full') throw new Problem('BOARDS_FULL', 'No more boards.', { path: ['input', 'title'] });
  if (title === 'broken') throw new TypeError('mongodb://secret@10.0.0.1');
  const [board] = await ctx.models.Board.create([{ title }]);
  ctx.publish(boardCreated({ boardId: board!._id, title }));
  return { board: board!.toObject() };
}

async function countBoard(ctx: Ctx, { boardId, title }: { boardId: string; title: string }) {
  if (title === 'poison') throw new Problem('POISON', 'It cannot be counted.');
  await ctx.models.Board.updateOne({ _id: boardId }, { $inc: { count: 1 } });
}

const boardRenamed = defineEvent('Board.Renamed', z.object({ boardId: z.string(), title: z.string() }));

async function retitle(ctx: Ctx, { boardId, title }: { boardId: string; title: string }) {
  await ctx.models.Board.updateOne({ _id: boardId }, { $set: { title } });
}

export const addToTrail = defineCommand('boards', 'addToTrail', {
  input: z.object({ boardId: z.string(), word: z.string() }),
  output: z.object({ length: z.number() }),
  changes: true,
});

async function extendTrail(ctx: Ctx, { boardId, word }: { boardId: string; word: string }) {
  if (word === 'refused') throw new Problem('WORD_REFUSED', 'Not this word.');
  if (word === 'breaks') throw new Error('the disk is full');
  const board = await ctx.models.Board.findOneAndUpdate({ _id: boardId }, { $push: { trail: word } }, { returnDocument: 'after' }).lean();
  return { length: board?.trail.length ?? 0 };
}

export const titleOf = defineCommand('boards', 'titleOf', {
  input: z.object({ boardId: z.string() }),
  output: z.object({ title: z.string().max(50) }),
});

async function readTitle(ctx: Ctx, { boardId }: { boardId: string }) {
  return { title: (await ctx.models.Board.findById(boardId).lean())?.title ?? '' };
}

interface Walked {
  first: { length: number };
  second: null;
  approval: { by: string };
  third: null;
}

/** Three steps and a wait; `words` are what each step writes. */
export const walk = defineSaga<Ctx, { boardId: string; words: string[]; waits: boolean }, Walked>(
  'walk',
  { version: 1, input: z.object({ boardId: z.string(), words: z.array(z.string()), waits: z.boolean() }) },
  ({ step, waitFor }) => [
    step('first', {
      run: (ctx, { input, stepKey }) =>
        ctx.call(addToTrail, { boardId: input.boardId, word: input.words[0]! }, { idempotencyKey: stepKey }),
      compensate: (ctx, { input, stepKey }) =>
        ctx.call(addToTrail, { boardId: input.boardId, word: `un-${input.words[0]}` }, { idempotencyKey: stepKey }),
    }),
    step('second', {
      local: true,
      run: (ctx, { input }) => ctx.models.Board.updateOne({ _id: input.boardId }, { $push: { trail: input.words[1] } }).then(() => null),
      compensate: (ctx, { input }) => ctx.models.Board.updateOne({ _id: input.boardId }, { $push: { trail: `un-${input.words[1]}` } }),
    }),
    waitFor('approval', { withinMs: 60_000, when: ({ input }) => input.waits }),
    step('third', {
      run: (ctx, { input, stepKey }) =>
        ctx.call(addToTrail, { boardId: input.boardId, word: input.words[2]! }, { idempotencyKey: stepKey }),
      compensate: (ctx, { input, stepKey }) =>
        ctx.call(addToTrail, { boardId: input.boardId, word: `un-${input.words[2]}` }, { idempotencyKey: stepKey }),
    }),
  ],
);

export const subgraph = defineSubgraph({
  name: 'boards',
  folder: import.meta.dirname,
  models,
  loaders,
  resolvers: {
    Query: { board: (_root: unknown, { id }: { id: string }, ctx: Ctx) => ctx.loaders.board(id) },
    Mutation: { createBoard: mutation(CreateBoard, createBoard) },
    Board: {
      __resolveReference: ({ id }: { id: string }, ctx: Ctx) => ctx.loaders.board(id),
      id: (board: Board) => board._id,
    },
    Subscription: {
      boardCreated: {
        subscribe: (_root: unknown, { after }: { after?: string }, ctx: Ctx) => ctx.live.subscribe('boards:all', after ? { after } : {}),
        resolve: ({ cursor, payload }: { cursor: string; payload: { data: { boardId: string; title: string } } }) => ({
          cursor,
          ...payload.data,
        }),
      },
    },
  },
  permissions: {
    Query: { board: allow },
    Mutation: { createBoard: isSignedIn },
    Subscription: { boardCreated: isSignedIn },
    Board: { '*': allow },
  },
  handlers: [
    onEvent(boardCreated, countBoard),
    onEvent(boardRenamed, retitle, { idempotent: true }),
    handleCommand(addToTrail, extendTrail),
    handleCommand(titleOf, readTitle),
    scheduledJob('sweep-boards', { every: 60_000 }, (ctx: Ctx) => ctx.models.Board.deleteMany({ title: 'old' })),
  ],
  sagas: [walk],
  operationsApi: true,
});
