import { forbidden } from '../base/errors.ts';
import { auditOutcome, outcomeOf, STARTED } from '../kit/audit.ts';
import type { AnyContext } from '../kit/context.ts';
import { handleCommand } from '../kit/define-command.ts';
import { hasRole } from '../kit/permissions.ts';

const ADMIN = 'admin';
/** One rule for all fields: graphql-shield knows rules by name. */
export const isAdmin = hasRole(ADMIN);
/** Commands with other names change something: their row is written before they begin, so that a killed process leaves it too. */
const READS = /^(list|find)/;

/**
 * Handles a command of the operations API. The rules of the schema hold for its resolvers only, and every process of ours can send commands,
 * so the role is checked here. Each call leaves an audit row in the database of the subgraph that handles it.
 */
export const forAdmins: typeof handleCommand = (asked, action) => {
  const name = asked.name.slice(asked.name.indexOf('.operations-') + '.operations-'.length);
  return handleCommand(asked, async (ctx: AnyContext, input) => {
    const { id } = input as { id?: string };
    const entry = { target: id === undefined ? null : { type: null, id }, changes: { fields: Object.keys(input as object) } };
    try {
      if (!ctx.viewer?.roles.includes(ADMIN)) throw forbidden();
      if (!READS.test(name)) await ctx.audit(name, { ...entry, outcome: STARTED });
      const reply = await action(ctx as never, input);
      await auditOutcome(ctx, name, entry);
      return reply;
    } catch (error) {
      await auditOutcome(ctx, name, { ...entry, outcome: outcomeOf(error) }, error);
      throw error;
    }
  });
};
