import { randomUUID } from 'node:crypto';
import { getArgumentValues, getVariableValues, type GraphQLSchema } from 'graphql';
import { LRUCache } from 'lru-cache';
import type { Operation } from '../engine/types.ts';
import { AFTER, formOf, type Form } from './normalize-subscription.ts';

const KEPT_FORMS = 2_000;

/** What one subscription listens to. Subscriptions with equal keys get equal answers to each event. */
export interface Topic {
  /** Name of the subscription field. */
  field: string;
  key: string;
  /** The cursor the client goes on from. */
  after: string | undefined;
  /** True when the field can go on from a cursor. */
  resumes: boolean;
  /** What to ask for anyone with equal rights, from a cursor or from now on. */
  operationAfter: (cursor: string | undefined, asked: Operation) => Operation;
}

type Variables = Readonly<Record<string, unknown>>;

interface TopicsOptions {
  schema: GraphQLSchema;
  /** What of the viewer the answers depend on. */
  scopeOf: (operation: Operation) => string;
}

/** Reads topics out of subscriptions. */
export function createTopics({ schema, scopeOf }: TopicsOptions): (operation: Operation) => Topic {
  const forms = new LRUCache<string, Form>({ max: KEPT_FORMS });

  const formFor = (operation: Operation): Form => {
    const memo = `${operation.operationName ?? ''}\n${operation.source}`;
    let form = forms.get(memo);
    if (!form) forms.set(memo, (form = formOf(schema, operation)));
    return form;
  };

  return (operation) => {
    const form = formFor(operation);
    const field = form.field.name;
    const given = form.cursor === undefined ? {} : argumentsOf(schema, form, operation.variables);
    // What does not fit is the engine's to say, to this client alone.
    if (!given) return { field, key: randomUUID(), after: undefined, resumes: false, operationAfter: (_cursor, asked) => asked };
    const variables = pick(operation.variables ?? {}, form.used);
    return {
      field,
      key: canonical([form.source, variables, scopeOf(operation)]),
      after: (given[AFTER] as string | null | undefined) ?? undefined,
      resumes: form.cursor !== undefined,
      operationAfter: (cursor, asked) => ({ ...asked, ...opened(form, variables, cursor) }),
    };
  };
}

function opened(
  { cursor: name, document, source }: Form,
  variables: Variables,
  cursor: string | undefined,
): Pick<Operation, 'document' | 'source' | 'variables' | 'wantsStart'> {
  if (name === undefined) return { document, source, variables };
  return { document, source, variables: cursor === undefined ? variables : { ...variables, [name]: cursor }, wantsStart: true };
}

/** The arguments of the field; undefined when they cannot be read. */
function argumentsOf(schema: GraphQLSchema, { field, root, definitions }: Form, given: Variables | undefined): Variables | undefined {
  const { coerced } = getVariableValues(schema, definitions, given ?? {});
  if (!coerced) return undefined;
  try {
    return getArgumentValues(field, root, coerced);
  } catch {
    return undefined;
  }
}

const pick = (variables: Variables, names: readonly string[]): Variables =>
  Object.fromEntries(names.filter((name) => Object.hasOwn(variables, name)).map((name) => [name, variables[name]]));

/** The same text for the same value, whatever the order of its keys. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_key, each: unknown) =>
    typeof each === 'object' && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : each,
  );
