import type { Reading } from './supergraph.ts';

/** A valid operation. */
export interface Plannable {
  source: string;
  operationName: string | undefined;
}

/** Plans the operations of one supergraph. */
export interface Planner {
  /** The parts of the supergraph that are needed to run plans. */
  readonly reading: Reading;
  /**
   * Apollo's query plan as JSON; synchronous, or from another thread, where the operations of one caller do not delay those of others.
   * Throws or rejects when the operation cannot be planned.
   */
  plan(operation: Plannable, caller?: string): string | Promise<string>;
  /** A hash of the parts of the supergraph that the plans of a document depend on. Equal hashes mean equal plans. */
  fingerprint(source: string): string | Promise<string>;
  /** Finishes work in progress, then releases the supergraph. */
  close(): void;
}
