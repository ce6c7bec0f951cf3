import type { z } from 'zod';
import type { AnyContext } from './context.ts';
import { Problem } from '../base/errors.ts';
import { validationMessage } from '../base/validation-messages.ts';

/** A typed request from one subgraph to another, with a reply. It travels in process or as `POST /internal/<subgraph>.<name>`. */
export interface Command<I = unknown, O = unknown> {
  kind: 'command';
  /** `<owner>.<verbNoun>` */
  name: string;
  owner: string;
  input: z.ZodType<I>;
  output: z.ZodType<O>;
  /** True when the handler changes data: it runs in a transaction and needs an idempotency key. */
  changes: boolean;
  timeoutMs: number;
}

interface CommandOptions<I, O> {
  input: z.ZodType<I>;
  output: z.ZodType<O>;
  /** Default false: the command only reads. */
  changes?: boolean;
  /** Default 5,000. */
  timeoutMs?: number;
}

/** Less than a gateway waits for a query (5 s), so that who is too slow is named, and the rest is answered. */
const DEFAULT_TIMEOUT_MS = 4_000;

/** Declares a command in the owner's `contract.ts`. */
export function defineCommand<I, O>(
  owner: string,
  verbNoun: string,
  { input, output, changes = false, timeoutMs = DEFAULT_TIMEOUT_MS }: CommandOptions<I, O>,
): Command<I, O> {
  return { kind: 'command', name: `${owner}.${verbNoun}`, owner, input, output, changes, timeoutMs };
}

export interface CommandHandler<C extends AnyContext = AnyContext> {
  kind: 'command';
  command: Command;
  run(ctx: C, input: unknown): Promise<unknown>;
}

/** Handles a command of this subgraph's own contract with one of its actions. */
export function handleCommand<I, O, C extends AnyContext>(
  command: Command<I, O>,
  action: (ctx: C, input: I) => Promise<O>,
): CommandHandler<C> {
  return { kind: 'command', command: command as Command, run: (ctx, input) => action(ctx, input as I) };
}

/** Returns the typed input. Throws a Problem that a caller in another process can read. */
export function parseCommandInput<I>(command: Command<I>, input: unknown): I {
  const parsed = command.input.safeParse(input, { error: validationMessage });
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new Problem('INVALID', `The command ${command.name} was given a wrong input.`, {
    path: issue ? issue.path.map((part) => (typeof part === 'number' ? part : String(part))) : [],
    detail: issue?.message,
  });
}
