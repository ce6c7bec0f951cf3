import { randomUUID } from 'node:crypto';
import {
  Kind,
  parse,
  print,
  visit,
  type DirectiveNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLError,
  type SelectionNode,
} from 'graphql';
import { isIncremental, type Engine, type IncrementalPart } from '../../engine/types.ts';
import type { RandomOperation } from './operations.ts';

const DEFER: DirectiveNode = { kind: Kind.DIRECTIVE, name: { kind: Kind.NAME, value: 'defer' } };
const MARK = '_deferred';
const mark: FieldNode = {
  kind: Kind.FIELD,
  alias: { kind: Kind.NAME, value: MARK },
  name: { kind: Kind.NAME, value: '__typename' },
};

const isDeferred = (node: SelectionNode): boolean => node.directives?.some(({ name }) => name.value === 'defer') ?? false;
const isIntrospection = (name: string): boolean => name === '__schema' || name === '__type';

/** The operation with some selections deferred, also all of an object, and nested in deferred ones. */
export function withDefers(source: string, random: () => number): DocumentNode {
  return visit(parse(source, { noLocation: true }), {
    Field: ({ name }) => (isIntrospection(name.value) ? false : undefined),
    SelectionSet: {
      leave({ selections, ...set }) {
        const later = selections.filter(() => random() < 0.3);
        if (random() < 0.5 || later.length === 0) return undefined;
        const rest = selections.filter((each) => !later.includes(each));
        const deferred: SelectionNode = {
          kind: Kind.INLINE_FRAGMENT,
          directives: [DEFER],
          selectionSet: { kind: Kind.SELECTION_SET, selections: later },
        };
        return { ...set, selections: random() < 0.5 ? [...rest, deferred] : [deferred, ...rest] };
      },
    },
    FragmentSpread: (node) => (random() < 0.2 ? { ...node, directives: [...(node.directives ?? []), DEFER] } : undefined),
  });
}

/** The operation whose response is the first one: each deferred selection leaves a marker, so that no selection becomes empty. */
export const withoutDeferred = (document: DocumentNode): string =>
  print(
    withoutUnused(
      visit(document, {
        InlineFragment: (node) => (isDeferred(node) ? mark : undefined),
        FragmentSpread: (node) => (isDeferred(node) ? mark : undefined),
      }),
    ),
  );

/** An unused fragment would be invalid. */
function withoutUnused(document: DocumentNode): DocumentNode {
  const used = new Set<string>();
  visit(document, { FragmentSpread: ({ name }) => void used.add(name.value) });
  const unused = document.definitions.filter((each) => each.kind === Kind.FRAGMENT_DEFINITION && !used.has(each.name.value));
  if (unused.length === 0) return document;
  return withoutUnused({ ...document, definitions: document.definitions.filter((each) => !unused.includes(each)) });
}

/** Responses of `withoutDeferred` without the markers. */
export function withoutMarks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMarks);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, each]) => (key === MARK ? [] : [[key, withoutMarks(each)]])));
}

export interface Parts {
  first: unknown;
  /** Errors of all parts. */
  whole: unknown;
  errors: unknown[];
  /** Paths of parts that cannot be merged. */
  lost: (string | number)[][];
}

/** True for an error about an unresolved reference that the response in one piece shows as null without an error. */
export function isAboutNull(whole: unknown, error: unknown): boolean {
  const { message, path = [] } = error as GraphQLError;
  if (!message.endsWith('does not know this object, to which another subgraph refers.')) return false;
  let value = whole;
  for (const step of path) {
    if (value === null) return true;
    value = (value as Record<string | number, unknown> | undefined)?.[step];
  }
  return false;
}

/** What a client has after it merged every part. */
export async function partsOf(engine: Engine, { source, variables }: RandomOperation): Promise<Parts> {
  const identity = { issuer: 'gateway', viewer: null };
  const operation = { source, document: parse(source), variables, identity, correlationId: randomUUID(), deadline: Date.now() + 20_000 };
  const result = await engine.execute(operation);
  if (!isIncremental(result)) return { first: result.data, whole: result.data, errors: [...(result.errors ?? [])], lost: [] };
  const { data, errors = [] } = result.initialResult;
  const parts: Parts = { first: structuredClone(data), whole: structuredClone(data), errors: [...errors], lost: [] };
  for await (const { incremental = [] } of result.subsequentResults) incremental.forEach((part) => put(parts, part));
  return parts;
}

function put(parts: Parts, { path, data, errors = [] }: IncrementalPart): void {
  parts.errors.push(...errors);
  const place = path.reduce<unknown>((value, key) => (value as Record<string | number, unknown> | undefined)?.[key], parts.whole);
  if (typeof place !== 'object' || place === null || Array.isArray(place)) parts.lost.push(path);
  else if (data) merge(place, structuredClone(data));
}

function merge(target: object, source: object): void {
  const into = target as Record<string, unknown>;
  for (const [key, value] of Object.entries(source)) {
    const known = into[key];
    if (isObject(known) && isObject(value)) merge(known, value);
    else into[key] = value;
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;

/** The second value with the nulls of the first: an object is sent before its reference turns out to be unresolved. */
export function withNullsOf(plain: unknown, value: unknown): unknown {
  if (plain === null) return null;
  if (Array.isArray(plain) && Array.isArray(value)) return value.map((each, index) => withNullsOf(plain[index], each));
  if (!isObject(plain) || !isObject(value)) return value;
  const known = plain as Record<string, unknown>;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withNullsOf(known[key], each)]));
}
