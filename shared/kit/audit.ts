import { getNamedType, isObjectType, type GraphQLResolveInfo, type GraphQLSchema } from 'graphql';
import type { AnyContext } from './context.ts';
import { isProblem } from '../base/errors.ts';
import { isSecretName } from '../base/log.ts';

export interface AuditTarget {
  /** Type of the schema; null when only the id is known. */
  type: string | null;
  id: string;
}

/** What `ctx.audit` stores beside the actor, the client and the time. */
export interface AuditEntry {
  target?: AuditTarget | string | null | undefined;
  /** Facts of the change; values under names of secrets are hidden. */
  changes?: Record<string, unknown> | undefined;
  /** Default OK. A refusal is stored with its code, and only the first ones of a minute. */
  outcome?: string | undefined;
  /** An anonymous caller that showed the secret of a guest. */
  isGuest?: boolean | undefined;
}

/** The work began and its first transaction committed: a second row tells how it ended. */
export const STARTED = 'STARTED';
/** The stored response of an idempotency key was returned; nothing changed. */
export const REPLAYED = 'REPLAYED';

export interface AuditOptions<I, A> {
  /** The entity that the mutation concerns. Default: the entity of the payload, otherwise the `id` of the input. `answer` is absent in a refusal. */
  target?: (input: I, answer?: A) => AuditTarget | string | null | undefined;
  /** Fields of the input whose values are stored. Of all other fields, only the names are. */
  keep?: readonly (keyof I & string)[];
}

/** Values of these fields are never kept, whatever `keep` says. */
const PRIVATE_NAME = /address$/i;
const MAX_NAMES = 50;
const MAX_KEPT_LENGTH = 2_000;
const MAX_ID_LENGTH = 100;

/** Throws at the start of the process, so that no secret is ever written by an option. */
export function checkKept(keep: readonly string[] = []): void {
  const secret = keep.find((name) => isSecretName(name) || PRIVATE_NAME.test(name));
  if (secret) throw new Error(`audit: { keep } names ${secret}, which may hold a secret or personal data. Take it out.`);
}

interface Audited {
  options: AuditOptions<any, any>;
  info: GraphQLResolveInfo | undefined;
  /** As the client gave it. */
  given: unknown;
  /** Parsed; undefined when it was not valid. */
  input: unknown;
  answer?: Record<string, unknown>;
  outcome?: string;
}

/** The audit entry of one mutation: its target, the names of the given fields and the values that may be kept. */
export function entryOf({ options, info, given, input, answer, outcome }: Audited): AuditEntry {
  const isKnown = (name: string): boolean => isObject(input) && name in input;
  const fields = isObject(given) ? Object.keys(given).filter(isKnown).slice(0, MAX_NAMES) : [];
  const kept = Object.fromEntries((options.keep ?? []).filter(isKnown).map((name) => [name, bounded((input as Fields)[name])]));
  const target = isObject(input) ? (options.target?.(input, answer) ?? defaultTarget(info, input, answer)) : undefined;
  return {
    target,
    changes: { fields, ...(Object.keys(kept).length > 0 && { kept }) },
    outcome,
    isGuest: isObject(given) && typeof given['guestToken'] === 'string',
  };
}

type Fields = Record<string, unknown>;

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

function bounded(value: unknown): unknown {
  const text = JSON.stringify(value) ?? 'null';
  return text.length > MAX_KEPT_LENGTH ? '[too long]' : (JSON.parse(text) as unknown);
}

/** The first entity of the payload; otherwise the id in the input, under the type of the payload's first entity. */
function defaultTarget(info: GraphQLResolveInfo | undefined, input: Fields, answer: Fields | undefined): AuditTarget | undefined {
  for (const [field, value] of Object.entries(answer ?? {})) {
    const id = isObject(value) ? (value['_id'] ?? value['id']) : undefined;
    if (typeof id === 'string') return { type: typeOf(info, field), id };
  }
  if (typeof input['id'] === 'string') return { type: typeOf(info, undefined), id: input['id'].slice(0, MAX_ID_LENGTH) };
  const named = Object.entries(input).find(([name, value]) => /[a-z]Id$/.test(name) && typeof value === 'string');
  if (!named) return undefined;
  const [name, id] = named;
  return { type: name[0]!.toUpperCase() + name.slice(1, -2), id: String(id).slice(0, MAX_ID_LENGTH) };
}

/** The type of a payload's field; of its first field with an entity when none is named. */
function typeOf(info: GraphQLResolveInfo | undefined, field: string | undefined): string | null {
  const payload = info && getNamedType(info.returnType);
  if (!isObjectType(payload)) return null;
  const fields = payload.getFields();
  const entities = Object.values(fields).flatMap((each) => {
    const type = getNamedType(each.type);
    return isObjectType(type) && 'id' in type.getFields() ? [type.name] : [];
  });
  const type = field === undefined ? undefined : fields[field] && getNamedType(fields[field].type);
  return type?.name ?? (field === undefined ? (entities[0] ?? null) : null);
}

export const outcomeOf = (error: unknown): string => (isProblem(error) ? error.code : 'INTERNAL_SERVER_ERROR');

/** Errors whose refusal is written already. */
const audited = new WeakSet<object>();

/** Writes a refusal. A store that does not respond must not turn the refusal into another error, so a failure is logged only. */
export async function auditOutcome(ctx: AnyContext, action: string, entry: AuditEntry, error?: unknown): Promise<void> {
  if (typeof error === 'object' && error !== null) {
    if (audited.has(error)) return;
    audited.add(error);
  }
  await ctx.audit(action, entry).catch((failure) => ctx.log.error({ err: failure, action }, 'audit: a refusal could not be written'));
}

/** Writes refusals that happen before the mutation itself, such as those of permissions. */
export function auditPermissions(schema: GraphQLSchema): GraphQLSchema {
  for (const [name, field] of Object.entries(schema.getMutationType()?.getFields() ?? {})) {
    const { resolve } = field;
    if (!resolve) continue;
    field.resolve = async (root, args, ctx: AnyContext, info): Promise<unknown> => {
      const given = (args as { input?: unknown }).input;
      const refused = (error: unknown) =>
        auditOutcome(ctx, name, entryOf({ options: {}, info, given, input: given, outcome: outcomeOf(error) }), error);
      try {
        const result: unknown = await resolve(root, args, ctx, info);
        // graphql-shield returns errors.
        if (result instanceof Error) await refused(result);
        return result;
      } catch (error) {
        await refused(error);
        throw error;
      }
    };
  }
  return schema;
}

/**
 * A context whose first committed transaction also writes `entry`: a mutation that manages its own transactions leaves a row even when the
 * process is killed before it ends.
 */
export function auditFirstTransaction(ctx: AnyContext, action: string, entry: () => AuditEntry): AnyContext {
  let isWritten = false;
  const transaction = async function transaction(this: AnyContext, work: (inner: AnyContext) => Promise<unknown>): Promise<unknown> {
    if (this.session || isWritten) return ctx.transaction.call(this, work as never);
    const result: unknown = await ctx.transaction.call(this, (async (inner: AnyContext) => {
      await inner.audit(action, entry());
      return work(inner);
    }) as never);
    isWritten = true;
    return result;
  };
  return Object.create(ctx, { transaction: { value: transaction } }) as AnyContext;
}
