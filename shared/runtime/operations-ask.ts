import { z } from 'zod';
import { Problem } from '../base/errors.ts';
import type { AnyContext } from '../kit/context.ts';
import { defineCommand, type Command } from '../kit/define-command.ts';

/* How the operations API asks subgraphs about their own machinery. */

export type Facts = Record<string, unknown>;
export const Listing = z.object({ rows: z.array(z.record(z.string(), z.unknown())) });
export const Row = z.object({ row: z.record(z.string(), z.unknown()).nullable() });

export const operation = <I, O>(owner: string, name: string, input: z.ZodType<I>, output: z.ZodType<O>): Command<I, O> =>
  defineCommand(owner, `operations-${name}`, { input, output, timeoutMs: 30_000 });

const subgraphName = z.string().regex(/^[a-z][a-z0-9-]{0,40}$/, 'must be the name of a subgraph');
export const Target = z.object({ subgraph: subgraphName, id: z.string().min(1).max(200) });
export const JobTarget = z.object({ subgraph: subgraphName, job: z.string().min(1).max(100) });

/** Asks the subgraph that is named; a name that is none is the caller's mistake. */
export async function ask<I, O>(ctx: AnyContext, subgraph: string, command: (name: string) => Command<I, O>, input: I): Promise<O> {
  if (!subgraphName.safeParse(subgraph).success)
    throw new Problem('UNKNOWN_SUBGRAPH', 'There is no such subgraph.', { path: ['subgraph'] });
  return ctx.call(command(subgraph), input);
}

type Listed = z.output<typeof Listing>;

/** The rows of one subgraph, or of all that answer; `unreachableSubgraphs` names the others. */
export async function askEach<I>(
  ctx: AnyContext,
  subgraph: string | null | undefined,
  question: (name: string) => readonly [Command<I, Listed>, I],
): Promise<Facts[]> {
  const askOne = async (name: string): Promise<Facts[]> => {
    const { rows } = await ask(ctx, name, (each) => question(each)[0], question(name)[1]);
    return rows.map(of(name));
  };
  if (subgraph) return askOne(subgraph);
  const answers = await Promise.allSettled(ctx.subgraphs.map(askOne));
  for (const answer of answers)
    if (answer.status === 'rejected') ctx.log.warn({ err: answer.reason }, 'operations API: a subgraph did not answer');
  return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
}

export const of =
  (subgraph: string) =>
  (row: Facts): Facts => ({ ...row, subgraph });

export const newestFirst = (rows: readonly Facts[], field: string, first: number): Facts[] =>
  rows.toSorted((a, b) => (String(a[field]) < String(b[field]) ? 1 : -1)).slice(0, first);

export const limited = (first: number): number => {
  if (first < 1 || first > 100) throw new Problem('INVALID', 'Ask for 1 to 100.', { path: ['first'] });
  return first;
};
