import type { Connection } from 'mongoose';
import type { Logger } from 'pino';
import { z } from 'zod';
import { newId } from '../base/ids.ts';
import { defineSaga, type Saga, type SagaPart, type SagaRow, type StepArgs } from '../kit/define-saga.ts';
import type { AnyContext } from '../kit/context.ts';
import type { PublishedMessage } from '../kit/define-event.ts';
import { writeOutbox } from '../messaging/outbox.ts';
import { createSagaRunner } from '../sagas/runner.ts';
import { sagasOf } from '../sagas/store.ts';
import { newHolderId } from '../store/lease-holder.ts';
import { inTransaction } from '../store/mongo.ts';

/* Builds of one program with one saga, `deploy`, in one process or in several. Each effect of a step is counted in the store. */

export type Definition = Saga<Record<string, unknown>, Record<string, unknown>>;
type Build = Parameters<typeof defineSaga<AnyContext, Record<string, unknown>, Record<string, unknown>>>[2];
export type Builder = Parameters<Build>[0];

export const deploySaga = (version: number, build: (builder: Builder) => SagaPart[]): Definition =>
  defineSaga<AnyContext, Record<string, unknown>, Record<string, unknown>>(
    'deploy',
    { version, input: z.record(z.string(), z.unknown()) },
    build,
  );

/** Of each effect: how often it ran, by saga, step and direction. */
const effectsOf = (db: Connection) => db.collection<{ _id: string; runs: number }>('effects');

type Options = Parameters<Builder['step']>[1];

/** A step whose effects are counted; one with `compensate: undefined` has none. */
export const counted = (options: Partial<Options> = {}): Options => ({
  run: (ctx, { stepKey }) => count(ctx, stepKey),
  compensate: (ctx, { stepKey }) => count(ctx, stepKey),
  ...options,
});

async function count(ctx: AnyContext, stepKey: StepArgs<unknown, unknown>['stepKey']): Promise<void> {
  const inTx = ctx.session ? { session: ctx.session } : {};
  await effectsOf(ctx.db).updateOne({ _id: stepKey }, { $inc: { runs: 1 } }, { upsert: true, ...inTx });
}

/** One build of the program, in a process of its own as far as the store can tell. */
export function openBuild(db: Connection, sagas: Definition[], now: () => Date = () => new Date()) {
  const holder = newHolderId();
  const errors: Record<string, unknown>[] = [];
  const log = { error: (facts: Record<string, unknown>) => errors.push(facts), warn: () => undefined } as unknown as Logger;
  const contextFor = (row: SagaRow | null, limits: { deadline?: number; signal?: AbortSignal } = {}) => contextOf(db, now, row, limits);
  const runner = createSagaRunner({ db, sagas, holder, log, now, contextFor });
  const [saga] = sagas;
  return {
    owner: holder,
    errors,
    ...runner,
    begin: (input: Record<string, unknown> = {}, key: string = newId('key')): Promise<string> =>
      contextFor(null).transaction((tx) => runner.start(tx, saga!, { key, input })),
    arrive: async (id: string, signal: string): Promise<void> => runner.signal(saga!, (await runner.load(id)).key, signal, {}),
    /** The effects of one saga, by step and direction. */
    async effects(id: string): Promise<Record<string, number>> {
      const found = await effectsOf(db)
        .find({ _id: { $regex: `^${id}:` } })
        .sort({ _id: 1 })
        .toArray();
      return Object.fromEntries(found.map(({ _id, runs }) => [_id.slice(id.length + 1), runs]));
    },
  };
}

/** As its lease looks once its runner has been silent for too long. */
export const abandon = (db: Connection, id: string, change: object = {}): Promise<unknown> =>
  sagasOf(db).updateOne({ _id: id }, { $set: { 'lease.until': new Date(0), ...change } });

export const historyOf = ({ history }: SagaRow): string[] => history.map(({ step, outcome }) => `${step} ${outcome}`);

/** What a saga uses of a context, on the store alone: a process that is killed at each place is to start fast. */
function contextOf(db: Connection, now: () => Date, row: SagaRow | null, limits: { deadline?: number; signal?: AbortSignal }): AnyContext {
  const ctx = {
    db,
    subgraph: 'deploy',
    identity: null,
    correlationId: row?.correlationId ?? newId('cor'),
    deadline: limits.deadline ?? Number.POSITIVE_INFINITY,
    disconnectSignal: limits.signal,
    session: undefined,
    transaction(work: (inner: AnyContext) => Promise<unknown>) {
      return inTransaction(
        db,
        async (session) => {
          const published: PublishedMessage[] = [];
          const inner = Object.create(ctx, {
            session: { value: session },
            publish: { value: (...more: PublishedMessage[]) => published.push(...more) },
          });
          const result = await work(inner as AnyContext);
          await writeOutbox(db, published, { session, correlationId: ctx.correlationId, now: now() });
          return result;
        },
        Date.now() + 10_000,
      );
    },
  };
  return ctx as unknown as AnyContext;
}
