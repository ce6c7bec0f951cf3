import type { Reading } from './supergraph.ts';

/** An operation of a text that is valid. */
export interface Plannable {
  source: string;
  operationName: string | undefined;
}

/** Plans the operations of one supergraph. */
export interface Planner {
  /** What running plans takes of the supergraph. */
  readonly reading: Reading;
  /**
   * A query plan of Apollo's as JSON; at once, or from another thread, where the texts of one caller do not hold up those of others. Throws or
   * rejects when there is none.
   */
  plan(operation: Plannable, caller?: string): string | Promise<string>;
  /** The parts of the supergraph that the plans of a text depend on, as one short text: over equal ones they are equal. */
  fingerprint(source: string): string | Promise<string>;
  /** What was begun is finished; then the supergraph is forgotten. */
  close(): void;
}
