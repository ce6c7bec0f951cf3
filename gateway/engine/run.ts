import type { ExecutionResult, GraphQLError } from 'graphql';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import type { FetchScope, Operation } from './types.ts';

/** Merged subgraph responses. Keys are the response keys of plans. */
export type Data = Record<string, unknown>;
export type Path = readonly (string | number)[];

/** One execution of an operation. */
export interface Run {
  readonly operation: Operation;
  /** As the client sent them, without undeclared ones: subgraphs coerce them as the gateway did. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Coerced, with defaults. Read by `@skip` and `@include`. */
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly root: Data;
  readonly errors: GraphQLError[];
  /** Root fields that are missing because of an error which may be reported at another field. */
  readonly lost: string[];
  /** Parts that the plan leaves for after the first response. */
  readonly deferred: DeferredPart[];
}

export interface DeferredPart {
  /** Id of the deferral that it fetches for. */
  id: string;
  work: Step | undefined;
}

/** A compiled plan node: merges what it fetches into the targets. Never rejects. */
export type Step = (run: Run, targets: readonly Data[]) => Promise<void> | void;

/** What compiled plan nodes need of the engine. */
export interface Kit {
  /** Never rejects. Error paths are those of the subgraph. */
  executeFetch: (subgraph: string, request: SubgraphRequest, scope: FetchScope | undefined) => Promise<ExecutionResult>;
  /** Whether a type is the condition or implements it, in the whole supergraph. */
  isOfType: (typename: string, condition: string) => boolean;
}

export const isData = (value: unknown): value is Data => typeof value === 'object' && value !== null && !Array.isArray(value);

const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

/** A response key may be named like a property of every object: such keys are read and written with care. */
export const isInherited = (key: string): boolean => INHERITED.has(key);

export const ownValue = (data: Data, key: string): unknown => (Object.hasOwn(data, key) ? data[key] : undefined);

export function setOwn(data: Data, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(data, key, { value, configurable: true, enumerable: true, writable: true });
  else data[key] = value;
}

const unresolved = new WeakMap<Data, readonly string[]>();

/** Records a reference that a subgraph could not resolve. */
export const markUnresolved = (data: Data, subgraph: string): void =>
  void unresolved.set(data, [...(unresolved.get(data) ?? []), subgraph]);

/** The subgraphs that could not resolve an object; undefined when none was recorded. */
export const unknownTo = (value: unknown): readonly string[] | undefined => unresolved.get(value as Data);
