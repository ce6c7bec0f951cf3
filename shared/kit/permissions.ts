import { createRequire } from 'node:module';
import util from 'node:util';
import type { GraphQLFieldResolver, GraphQLResolveInfo, GraphQLSchema } from 'graphql';
import type { AnyContext } from './context.ts';
import { forbidden, isProblem, problemOf, unauthenticated } from '../base/errors.ts';

// graphql-shield 7.6.5 calls util.isUndefined, which Node 23 removed, and its ESM build cannot be loaded at all. Both packages must come
// from CommonJS: mixing the two copies of graphql-middleware fails with "Type generator exists in middleware".
const legacy = util as typeof util & { isUndefined?: (value: unknown) => boolean };
legacy.isUndefined ??= (value) => value === undefined;
const require = createRequire(import.meta.url);
const shieldModule = require('graphql-shield') as typeof import('graphql-shield', { with: { 'resolution-mode': 'require' } });
const middlewareModule = require('graphql-middleware') as typeof import('graphql-middleware', { with: { 'resolution-mode': 'require' } });

export const { allow, and, or } = shieldModule;

export type Rule = ReturnType<typeof shieldModule.and> | ReturnType<ReturnType<typeof shieldModule.rule>>;
type RuleResult = Awaited<ReturnType<Parameters<ReturnType<typeof shieldModule.rule>>[0]>>;
type Rules = Parameters<typeof shieldModule.shield>[0];
export type Permissions = Record<string, Record<string, Rule> | Rule>;

type Check<P, A, C> = (parent: P, args: A, ctx: C) => boolean | Error | Promise<boolean | Error>;

/** A rule that reads only the context. Kept for the request, so that a list asks once. */
export const contextRule = <C extends AnyContext = AnyContext>(
  name: string,
  check: (ctx: C) => boolean | Error | Promise<boolean | Error>,
): Rule => shieldModule.rule(name, { cache: 'contextual' })((_parent, _args, ctx) => check(ctx as C) as RuleResult);

/** A rule that reads the object or the arguments: never cached, since the first object's answer would serve all. */
export const objectRule = <P = any, A = any, C extends AnyContext = AnyContext>(name: string, check: Check<P, A, C>): Rule =>
  shieldModule.rule(name, { cache: 'no_cache' })((parent, args, ctx) => check(parent as P, args as A, ctx as C) as RuleResult);

export const isSignedIn: Rule = contextRule('isSignedIn', (ctx) => (ctx.viewer ? true : unauthenticated()));

/** Nobody signed in is told to sign in; somebody without the role is refused. */
export function hasRole(...roles: string[]): Rule {
  const name = `hasRole ${roles.join(' ')}`;
  const made =
    roleRules.get(name) ??
    contextRule(name, (ctx) => {
      if (!ctx.viewer) return unauthenticated();
      return ctx.viewer.roles.some((role) => roles.includes(role)) || forbidden();
    });
  roleRules.set(name, made);
  return made;
}

/** One rule for each name: graphql-shield refuses two with the same, and the kit's own fields have rules for admins too. */
const roleRules = new Map<string, Rule>();

/** A subgraph without entities has no field for them. */
const federationRules = (schema: GraphQLSchema): Record<string, Rule> => ({
  _service: allow,
  ...(schema.getQueryType()?.getFields()['_entities'] && { _entities: allow }),
});

/**
 * Puts the rules on the schema. Root fields are closed unless opened; `_entities` passes no root field, so every entity type carries its own
 * `'*'` rule (a contract test holds that).
 */
export function guard(schema: GraphQLSchema, permissions: Permissions): GraphQLSchema {
  const rules: Record<string, Record<string, Rule> | Rule> = { ...permissions };
  for (const root of ['Query', 'Mutation', 'Subscription']) {
    if (!schema.getType(root)) continue;
    const open: Record<string, Rule> = root === 'Query' ? federationRules(schema) : {};
    rules[root] = { '*': shieldModule.deny, ...open, ...(permissions[root] as Record<string, Rule> | undefined) };
  }
  const guarded = middlewareModule.applyMiddleware(schema, shieldModule.shield(rules as Rules, OPTIONS)) as GraphQLSchema;
  guardSubscriptions(guarded, rules['Subscription'] as Record<string, Rule> | undefined);
  return guarded;
}

const OPTIONS = {
  allowExternalErrors: true,
  // A rule that broke is a bug and leaves masked; a rule that said no without a reason is a refusal.
  fallbackError: (error: unknown) => (error instanceof Error && !isProblem(error) ? error : (problemOf(error) ?? forbidden())),
};

/** graphql-shield looks at each event of a stream, but not at its beginning: without this anyone could open one. */
function guardSubscriptions(schema: GraphQLSchema, rules: Record<string, Rule> | undefined): void {
  for (const [name, field] of Object.entries(schema.getSubscriptionType()?.getFields() ?? {})) {
    const rule = rules?.[name] ?? shieldModule.deny;
    const open = field.subscribe;
    if (!open) continue;
    const guarded: GraphQLFieldResolver<unknown, AnyContext & { _shield?: unknown }> = async (root, args, ctx, info) => {
      ctx._shield ??= { cache: {} };
      await evaluate(rule, [root as object, args, ctx as never, info]);
      return open(root, args, ctx, info) as unknown;
    };
    field.subscribe = guarded;
  }
}

/** Evaluates a rule outside of a GraphQL operation, afresh at each call. Rejects with the refusal. */
export async function authorize(rule: Rule, ctx: AnyContext, args: object): Promise<void> {
  const scope = Object.create(ctx, { _shield: { value: { cache: {} } } }) as never;
  await evaluate(rule, [{}, args, scope, {} as never]);
}

async function evaluate(rule: Rule, asked: [root: object, args: object, ctx: never, info: GraphQLResolveInfo]): Promise<void> {
  const verdict: unknown = await rule.resolve(...asked, { ...OPTIONS, debug: false, hashFunction: String } as never);
  if (verdict !== true) throw verdict instanceof Error ? verdict : forbidden();
}
