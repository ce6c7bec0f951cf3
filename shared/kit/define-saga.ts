import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { isProblem } from '../base/errors.ts';
import type { AnyContext } from './context.ts';

/*
 * Glossary. Saga: a process over several subgraphs whose truth is one row. Step: a named part of it, safe to repeat, with its compensation.
 * Parallel steps: independent steps that run side by side; all are settled before the saga goes on. Wait: a step that ends when an event comes,
 * or fails at its deadline. Signal: such an event, recorded on the row. Compensation: the part of a step that takes it back. STUCK: a
 * compensation failed and an operator must decide. PARKED: this build does not know the version or the step of the row, and no living process
 * does; a build that knows it takes it up again.
 */

export type SagaState = 'RUNNING' | 'WAITING' | 'COMPENSATING' | 'DONE' | 'COMPENSATED' | 'STUCK' | 'PARKED';

export const ENDED_STATES: readonly SagaState[] = ['DONE', 'COMPENSATED'];
export const HALTED_STATES: readonly SagaState[] = ['STUCK', 'PARKED'];

export interface SagaEntry {
  step: string;
  outcome: 'DONE' | 'UNDONE' | 'REFUSED' | 'RETRIED' | 'WAITS' | 'TIMED_OUT' | 'PARKED';
  at: Date;
  message?: string;
}

/** Why a saga is compensating. */
export interface Refusal {
  code: string;
  message: string;
  step: string;
  extensions: Record<string, unknown>;
}

/** Failed attempts at one step or its compensation. */
export interface Attempts {
  attempts: number;
  /** Of the first failed attempt, by the domain's clock; null before there is one. */
  tryingSince: Date | null;
}

/** One of several parallel steps, or its compensation, on the way. */
export interface Branch extends Attempts {
  wakeAt: Date;
  refusal: Refusal | null;
  isUndone: boolean;
}

export interface SagaRow<I = unknown> extends Attempts {
  _id: string;
  saga: string;
  /** Of the definition that began it. It goes on as that version defines, whatever the current version is. */
  version: number;
  /** Fingerprint of the steps of that version; absent in rows of a build before versions. */
  fingerprint?: string;
  /** The business key: one saga of a kind per key. */
  key: string;
  state: SagaState;
  input: I;
  /** Results of the finished steps, by step name. */
  results: Record<string, unknown>;
  signals: Record<string, unknown>;
  /** Name of the step to run or to compensate. */
  step: string;
  /** By step name, while the saga stands at parallel steps. */
  branches: Record<string, Branch>;
  /** The sweeper ignores the row before this time. */
  wakeAt: Date;
  /** End of the current wait, by the domain's clock. */
  waitsUntil: Date | null;
  lease: { owner: string; token: number; until: Date };
  /** Why the saga is compensating. */
  refusal: Refusal | null;
  /** Set by an admin: the saga turns back once the step under way is settled. */
  turnBack?: Refusal;
  history: SagaEntry[];
  correlationId: string;
  identity: unknown;
  startedAt: Date;
  updatedAt: Date;
  /** Wall clock; null while the saga is open, STUCK or PARKED. */
  finishedAt?: Date | null;
}

export interface SagaStart<I> {
  /** One saga of a kind per key. */
  key: string;
  input: I;
  /** Id of a compensated saga of this key: its row stays, and the new saga takes its key. */
  insteadOf?: string | undefined;
}

/** The arguments of a step: the saga's input, results of earlier steps, and a key that is equal on every attempt. */
export interface StepArgs<I, R> {
  id: string;
  key: string;
  input: I;
  results: Partial<R>;
  signals: Record<string, unknown>;
  /** The `idempotencyKey` for commands of this step. */
  stepKey: string;
  /** Set in a compensation: why the saga is compensating. */
  failure: { code: string; message: string } | null;
}

/**
 * How often, or how long, a step is tried before the saga compensates: 8 attempts by default. The pause begins at `firstMs` (100) and doubles
 * up to `maxMs` (2,000).
 */
export type RetryPolicy = { firstMs?: number; maxMs?: number } & (
  | { attempts?: number; withinMs?: undefined }
  | { withinMs: number; attempts?: undefined }
);

/** Retried until there is a response, however long that takes. For effects that may have happened without a response. */
export const untilAnswered: RetryPolicy = { attempts: Infinity };

export interface Step<I, R> {
  kind: 'step';
  name: string;
  /** True: runs in a transaction of this subgraph with the row's progress, so it happens exactly once. False: it calls other subgraphs. */
  local: boolean;
  retry: RetryPolicy;
  timeoutMs: number;
  retryable: (error: unknown) => boolean;
  run(ctx: AnyContext, args: StepArgs<I, R>): Promise<unknown>;
  /** Must be safe when the step never ran, and when it is repeated. */
  compensate: ((ctx: AnyContext, args: StepArgs<I, R>) => Promise<unknown>) | undefined;
}

export interface Wait<I, R> {
  kind: 'wait';
  name: string;
  withinMs: (args: StepArgs<I, R>) => number;
  /** The wait is skipped when this returns false. */
  when: (args: StepArgs<I, R>) => boolean;
  /** Reads the signal: a thrown Problem starts the compensation. */
  accept: (signal: unknown) => unknown;
}

export interface Parallel<I, R> {
  kind: 'parallel';
  name: string;
  steps: Step<I, R>[];
}

export type SagaPart<I = any, R = any> = Step<I, R> | Wait<I, R> | Parallel<I, R>;

export interface Saga<I = unknown, R = Record<string, unknown>> {
  name: string;
  version: number;
  input: z.ZodType<I>;
  steps: SagaPart<I, R>[];
  /** In their order; each of several parallel steps as `<group>/<step>` after its group. */
  stepNames: string[];
  /** Of the step names: equal in two builds that agree about this version. */
  fingerprint: string;
}

interface StepOptions<C, I, R> {
  local?: boolean;
  retry?: RetryPolicy;
  /** Deadline of one attempt, 60,000 by default. What is late counts as failed, and its context refuses further work. */
  timeoutMs?: number;
  /** Whether another attempt may help. Default: after every error but a `Problem` that is not retryable. */
  retryable?(error: unknown): boolean;
  run(ctx: C, args: StepArgs<I, R>): Promise<unknown>;
  compensate?(ctx: C, args: StepArgs<I, R>): Promise<unknown>;
}

interface WaitOptions<I, R> {
  withinMs: number | ((args: StepArgs<I, R>) => number);
  when?: (args: StepArgs<I, R>) => boolean;
  accept?: (signal: unknown) => unknown;
}

interface SagaBuilder<C, I, R> {
  step: (name: string, options: StepOptions<C, I, R>) => Step<I, R>;
  waitFor: (name: string, options: WaitOptions<I, R>) => Wait<I, R>;
  parallel: (name: string, steps: Step<I, R>[]) => Parallel<I, R>;
}

const TIMEOUT_MS = 60_000;
const MAX_TIMEOUT_MS = 24 * 3_600_000;

/**
 * A typed saga. `R` names the result of each step. `build` receives `step`, `waitFor` and `parallel` so that their types follow the saga's.
 * Other steps, another order or other names are a new `version`; the old one stays listed in the manifest while rows of it are open. A
 * `Problem` thrown by a step starts the compensation; any other error is retried first.
 */
export function defineSaga<C extends AnyContext, I, R>(
  name: string,
  { version, input }: { version: number; input: z.ZodType<I> },
  build: (builder: SagaBuilder<C, I, R>) => SagaPart<I, R>[],
): Saga<I, R> {
  const steps = build({
    step: (stepName, { local = false, retry = {}, timeoutMs = TIMEOUT_MS, retryable = mayHelp, run, compensate }) => ({
      kind: 'step',
      name: stepName,
      local,
      retry,
      timeoutMs,
      retryable,
      run: run as Step<I, R>['run'],
      compensate: compensate as Step<I, R>['compensate'],
    }),
    waitFor: (waitName, { withinMs, when = () => true, accept = (signal) => signal }) => ({
      kind: 'wait',
      name: waitName,
      withinMs: typeof withinMs === 'function' ? withinMs : () => withinMs,
      when,
      accept,
    }),
    parallel: (groupName, branches) => ({ kind: 'parallel', name: groupName, steps: branches }),
  });
  const stepNames = steps.flatMap(namesOf);
  const fingerprint = createHash('sha256').update(stepNames.join()).digest('base64url').slice(0, 12);
  const saga: Saga<I, R> = { name, version, input, steps, stepNames, fingerprint };
  const fault = faultOf(saga);
  if (fault) throw new Error(`The saga ${name} ${fault}`);
  return saga;
}

const mayHelp = (error: unknown): boolean => !isProblem(error) || error.retryable;

const namesOf = (part: SagaPart): string[] =>
  part.kind === 'parallel' ? [part.name, ...part.steps.map(({ name }) => `${part.name}/${name}`)] : [part.name];

function faultOf({ version, steps }: Saga<any, any>): string | undefined {
  if (!Number.isInteger(version) || version < 1) return `has version ${version}; versions are 1, 2, 3`;
  if (steps.length === 0) return 'has no step';
  const all = steps.flatMap((part): SagaPart[] => (part.kind === 'parallel' ? [part, ...part.steps] : [part]));
  const names = all.map(({ name }) => name);
  const wrong = names.find((name) => !/^[a-zA-Z][\w-]*$/.test(name));
  if (wrong !== undefined) return `has a step ${JSON.stringify(wrong)}; a name is letters, digits, _ and -`;
  if (new Set(names).size < names.length) return 'has two steps of one name';
  for (const part of steps)
    if (part.kind === 'parallel' && part.steps.some(({ local }) => local))
      return `runs a local step in parallel in ${part.name}; a local step stands alone, since its transaction moves the row`;
  for (const part of all) {
    if (part.kind !== 'step') continue;
    const { attempts = 1, withinMs = 1 } = part.retry;
    if (!(attempts >= 1) || !(withinMs > 0)) return `tries ${part.name} never; name attempts from 1 or a time`;
    if (!(part.timeoutMs > 0 && part.timeoutMs <= MAX_TIMEOUT_MS))
      return `has no usable timeoutMs for ${part.name}; up to a day is possible`;
  }
  return undefined;
}

/** Refuses a manifest that lists one version of a saga twice. */
export function refuseSameVersions(subgraph: string, sagas: readonly Saga<any, any>[]): void {
  const ids = sagas.map(({ name, version }) => `${name} version ${version}`);
  const twice = ids.find((id, index) => ids.indexOf(id) < index);
  if (twice) throw new Error(`${subgraph} lists two sagas ${twice}: give the newer one another version`);
}
