import { parseCommandInput, type CommandHandler } from '../kit/define-command.ts';
import type { AnyContext } from '../kit/context.ts';
import type { Contexts } from './create-context.ts';
import { isProblem, Problem, unavailable } from '../base/errors.ts';
import { runIdempotently } from '../kit/idempotency.ts';
import type { JobOperations } from '../jobs/operations.ts';
import { operationsApiHandlers, type Operator } from './operations-api.ts';
import { jobOperationsHandlers } from './operations-jobs.ts';
import { settingHandlers } from './setting-definitions.ts';
import type { Subgraph } from '../kit/define-subgraph.ts';
import type { CommandRequest } from '../kit/transport.ts';

/** The commands that a subgraph handles: its own, and those of the operations API about its sagas and dead letters. */
export function createCommands(subgraph: Subgraph, contexts: Contexts, operator: () => Operator & { jobs: JobOperations }) {
  const handlers = new Map<string, CommandHandler>();
  const jobs = jobOperationsHandlers(subgraph.name, () => operator().jobs);
  const kit = [...operationsApiHandlers(subgraph.name, operator), ...jobs, ...settingHandlers(subgraph)];
  for (const handler of [...kit, ...subgraph.handlers]) {
    if (handler.kind === 'command') handlers.set(handler.command.name, handler);
  }

  async function run({ command: handlerCommand, run: action }: CommandHandler, request: CommandRequest): Promise<unknown> {
    const ctx = contexts.create(request);
    const input = parseCommandInput(handlerCommand, request.input);
    const work = async (inner: AnyContext): Promise<unknown> => handlerCommand.output.parse(await action(inner, input));
    if (!handlerCommand.changes) return work(ctx);
    if (!request.idempotencyKey) return ctx.transaction(work);
    return runIdempotently(ctx, { scope: `command ${handlerCommand.name}`, key: request.idempotencyKey, input, transaction: true, work });
  }

  return {
    /** Rejects with a `Problem` only; any other error is logged and becomes a retryable one. */
    async handle(request: CommandRequest): Promise<unknown> {
      const handler = handlers.get(request.command);
      if (!handler) throw new Problem('UNKNOWN_COMMAND', `There is no command called ${request.command.slice(0, 100)}.`);
      if (Date.now() > request.deadline) throw new Problem('TIMEOUT', 'The deadline of this command has passed.', { retryable: true });
      try {
        return await run(handler, request);
      } catch (error) {
        if (isProblem(error)) throw error;
        contexts.create(request).log.error({ err: error, command: request.command }, 'a command failed');
        throw unavailable(subgraph.name, error);
      }
    },
  };
}

export type Commands = ReturnType<typeof createCommands>;
