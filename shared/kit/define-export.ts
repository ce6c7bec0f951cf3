import { z } from 'zod';
import type { AnyContext } from './context.ts';
import { defineCommand, handleCommand, type Command, type CommandHandler } from './define-command.ts';

interface ExportOptions<R> {
  row: z.ZodType<R>;
  /** Rows of a page; default 500. */
  pageSize?: number;
}

interface ExportInput {
  /** Position after which the page begins: `next` of the page before. */
  after: string | null;
  limit: number;
}

interface ExportPage<R> {
  rows: R[];
  /** Null on the last page. */
  next: string | null;
}

export interface ExportDefinition<R> {
  command: Command<ExportInput, ExportPage<R>>;
  pageSize: number;
}

/**
 * A paged command that reads all rows of one kind in a stable order, for a new consumer that needs facts older than the outbox keeps
 * (7 days). The consumer subscribes first, then reads the export, then handles the events: `NEWEST_WINS` sorts out what comes twice.
 */
export function defineExport<R>(owner: string, verbNoun: string, { row, pageSize = 500 }: ExportOptions<R>): ExportDefinition<R> {
  const command = defineCommand(owner, verbNoun, {
    input: z.object({ after: z.string().max(500).nullable(), limit: z.number().int().min(1).max(pageSize) }),
    output: z.object({ rows: z.array(row), next: z.string().max(500).nullable() }),
    timeoutMs: 30_000,
  });
  return { command, pageSize };
}

/** Serves an export. `read` returns at most `limit` rows behind `after`. */
export const handleExport = <R, C extends AnyContext>(
  { command }: ExportDefinition<R>,
  read: (ctx: C, input: ExportInput) => Promise<ExportPage<R>>,
): CommandHandler<C> => handleCommand(command, read);

/** All rows of an export, page by page; a page is held in memory at a time. Begin at `after` to go on after an interruption. */
export async function* readExport<R>(
  ctx: AnyContext,
  { command, pageSize }: ExportDefinition<R>,
  after: string | null = null,
): AsyncGenerator<ExportPage<R>> {
  for (let position = after; ;) {
    const page = await ctx.call(command, { after: position, limit: pageSize });
    yield page;
    if (page.next === null) return;
    position = page.next;
  }
}
