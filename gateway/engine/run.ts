import type { ExecutionResult, GraphQLError } from 'graphql';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import type { FetchScope, Operation } from './types.ts';

/** What subgraphs answered, put together; keys are response names. */
export type Data = Record<string, unknown>;
export type Path = readonly (string | number)[];

/** One operation while it runs. */
export interface Run {
  readonly operation: Operation;
  /** As the client gave them, without what the operation does not declare: subgraphs coerce them as the gateway did. */
  readonly variables: Readonly<Record<string, unknown>>;
  /** Coerced, with defaults; what `@skip` and `@include` look at. */
  readonly conditions: Readonly<Record<string, unknown>>;
  readonly root: Data;
  readonly errors: GraphQLError[];
  /** Root fields that are missing because of an error that may be told at another one. */
  readonly lost: string[];
  /** What the plan leaves for after the first answer. */
  readonly deferred: DeferredPart[];
}

export interface DeferredPart {
  /** Of the deferral that it fetches for. */
  id: string;
  work: Step | undefined;
}

/** A node of a plan, compiled: adds what it fetches to the targets. Never rejects. */
export type Step = (run: Run, targets: readonly Data[]) => Promise<void> | void;

/** What compiled nodes need of the engine. */
export interface Kit {
  /** Never rejects; errors carry the path as the subgraph sees it. */
  ask: (subgraph: string, request: SubgraphRequest, scope: FetchScope | undefined) => Promise<ExecutionResult>;
  /** Whether an object of this type is what the condition names; abstract types of the whole supergraph included. */
  isOfType: (typename: string, condition: string) => boolean;
}

export const isData = (value: unknown): value is Data => typeof value === 'object' && value !== null && !Array.isArray(value);

const INHERITED = new Set(Object.getOwnPropertyNames(Object.prototype));

/** An alias may be named like something that every JavaScript object has: such names are looked up, and written, with care. */
export const isInherited = (key: string): boolean => INHERITED.has(key);

export const ownValue = (data: Data, key: string): unknown => (Object.hasOwn(data, key) ? data[key] : undefined);

export function setOwn(data: Data, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(data, key, { value, configurable: true, enumerable: true, writable: true });
  else data[key] = value;
}

const dangling = new WeakMap<Data, readonly string[]>();

/** Remembers a reference that leads nowhere: the subgraph that was asked for the object answered that there is none. */
export const markDangling = (data: Data, subgraph: string): void => void dangling.set(data, [...(dangling.get(data) ?? []), subgraph]);

/** The subgraphs that do not know an object to which another refers; undefined when nobody said so. */
export const unknownTo = (value: unknown): readonly string[] | undefined => dangling.get(value as Data);
