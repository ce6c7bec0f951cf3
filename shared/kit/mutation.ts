import { isEnumType, type GraphQLResolveInfo } from 'graphql';
import type { Admission } from '../base/admission.ts';
import { z } from 'zod';
import { auditFirstTransaction, auditOutcome, checkKept, entryOf, outcomeOf, REPLAYED, STARTED, type AuditOptions } from './audit.ts';
import type { AnyContext } from './context.ts';
import { isProblem, Problem, type InputPath } from '../base/errors.ts';
import { runIdempotently } from './idempotency.ts';
import { sentenceOf, validationMessage } from '../base/validation-messages.ts';

/** Codes about the caller, not about the input: they become top-level errors, as in a query. */
const TOP_LEVEL = new Set([
  'COMPENSATED_BY_ADMIN',
  'UNAUTHENTICATED',
  'FORBIDDEN',
  'OVERLOADED',
  'RATE_LIMITED',
  'UNAVAILABLE',
  'SUBGRAPH_UNAVAILABLE',
  'TIMEOUT',
]);

export interface UserError {
  __typename: string;
  code: string;
  message: string;
  path: string[];
}

interface MutationOptions<C, A, I = unknown> {
  /** Admission before any work: the request waits for its turn or is refused. Default: none. */
  admission?: (ctx: C) => Admission;
  /** Default true: the action runs in one transaction. False for those that run a saga and manage their own. */
  transaction?: boolean;
  /** A response that is not final is not stored: the same idempotency key runs the action again. Default: every response is final. */
  isFinal?: (answer: A) => boolean;
  /** False for a request without a known caller whose response holds a secret: an equal request of a stranger must not get that response. */
  isKeyed?: (ctx: C, input: I) => boolean;
  /** Runs before the response, after a success. */
  after?: (ctx: C, payload: A) => Promise<unknown>;
  /** Target and kept values of its audit rows. Every mutation leaves a row, in its transaction; a refusal leaves one with its code. */
  audit?: AuditOptions<I, A>;
}

type Payload = Record<string, unknown> & { userErrors: UserError[] };
/** Any other resolver of a mutation would leave no audit row. */
const audited = new WeakSet<object>();
export const isAuditedMutation = (resolver: object): boolean => audited.has(resolver);

type Resolver = (root: unknown, args: { input: unknown }, ctx: any) => Promise<Payload>;

/**
 * The entry point for changes: parses `input`, runs the action in a transaction, once per `idempotencyKey` where the input has one, and turns
 * each `Problem` into a user error. The action returns the payload's entities. Any other error is rethrown and masked.
 */
export function mutation<S extends z.ZodType, C extends AnyContext, A extends Record<string, unknown>>(
  schema: S,
  change: (ctx: C, input: z.infer<S>) => Promise<A>,
  options: MutationOptions<C, A, z.infer<S>> = {},
): Resolver {
  const inTransaction = options.transaction ?? true;
  checkKept(options.audit?.keep);
  const resolver = async (_root: unknown, args: { input: unknown }, ctx: AnyContext, info?: GraphQLResolveInfo): Promise<Payload> => {
    const action = info?.fieldName ?? 'mutation';
    const entry = (facts: Pick<Parameters<typeof entryOf>[0], 'answer' | 'outcome' | 'input'>) =>
      entryOf({ options: options.audit ?? {}, info, given: args.input, ...facts });
    const parsed = schema.safeParse(args.input, { error: validationMessage });
    if (!parsed.success) {
      const userErrors = parsed.error.issues.flatMap((issue) => issueErrors(issue));
      await auditOutcome(ctx, action, entry({ input: undefined, outcome: userErrors[0]?.code ?? 'INVALID' }));
      return { userErrors };
    }
    const input: unknown = parsed.data;
    let hasRun = false;
    try {
      const work = async (inner: AnyContext): Promise<A> => {
        hasRun = true;
        const answer = await change(inner as C, input as z.infer<S>);
        if (inTransaction) await inner.audit(action, entry({ input, answer }));
        return answer;
      };
      const begun = inTransaction ? ctx : auditFirstTransaction(ctx, action, () => entry({ input, outcome: STARTED }));
      const key = (input as { idempotencyKey?: unknown }).idempotencyKey;
      const run = async (): Promise<A> => {
        const isKeyed = options.isKeyed?.(ctx as C, input as z.infer<S>) ?? true;
        if (typeof key !== 'string' || !isKeyed) return inTransaction ? begun.transaction(work) : work(begun);
        const scope = scopeOf(ctx, action, input);
        return runIdempotently(begun, { scope, key, input: args.input, transaction: inTransaction, work, isFinal: options.isFinal });
      };
      const wanted = { deadline: ctx.deadline, signal: ctx.disconnectSignal, caller: ctx.viewer?.id };
      const answer = await (options.admission ? options.admission(ctx as C).run(run, wanted) : run());
      if (!hasRun) await auditOutcome(ctx, action, entry({ input, answer, outcome: REPLAYED }));
      else if (!inTransaction) await auditOutcome(ctx, action, entry({ input, answer }));
      await options.after?.(ctx as C, answer);
      return { ...answer, userErrors: [] };
    } catch (error) {
      await auditOutcome(ctx, action, entry({ input, outcome: outcomeOf(error) }), error);
      if (!isProblem(error) || TOP_LEVEL.has(error.code) || !isInSchema(error.code, info)) throw error;
      return { userErrors: [userError(error)] };
    } finally {
      ctx.clearLoaders();
    }
  };
  audited.add(resolver);
  return resolver;
}

/** The principal of a signed-in caller is the user; that of a guest is its secret token, otherwise its network address and program. */
function scopeOf(ctx: AnyContext, operation: string, input: unknown): string {
  const guest = (input as { guestToken?: unknown }).guestToken;
  const { ip = '', userAgent = '' } = ctx.identity.client ?? {};
  // Two strangers that happen to choose the same key must not get each other's responses.
  const principal = ctx.viewer?.id ?? (typeof guest === 'string' ? `guest:${guest}` : `anonymous:${ip}:${userAgent}`);
  return `${ctx.subgraph}.${operation} ${principal}`;
}

/** A code of another subgraph that this schema does not list can only become a top-level error. */
function isInSchema(code: string, info: GraphQLResolveInfo | undefined): boolean {
  const codes = info?.schema.getType('UserErrorCode');
  return !isEnumType(codes) || codes.getValue(code) !== undefined;
}

function issueErrors(issue: z.core.$ZodIssue): UserError[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => invalid(['input', ...path, key], 'This field is not known.'));
  }
  // A rule of the kit may know a more exact code than INVALID.
  const code = issue.code === 'custom' && typeof issue.params?.['code'] === 'string' ? issue.params['code'] : 'INVALID';
  return [{ ...invalid(['input', ...path], sentenceOf(issue.message)), code }];
}

const invalid = (path: string[], message: string): UserError => ({ __typename: 'PlainUserError', code: 'INVALID', message, path });

/** A Problem as the schema's `UserError`; its facts become fields of the type that carries them. */
export function userError(problem: Problem): UserError {
  return {
    ...problem.facts,
    __typename: problem.typename,
    code: problem.code,
    message: problem.message,
    path: placeIn(problem.inputPath),
  };
}

/** Always begins with `input`. A Problem without a path, or with a path in a command of another subgraph, concerns the whole input. */
const placeIn = (path: InputPath = []): string[] => (path[0] === 'input' ? path.map(String) : ['input']);
