/** An operation of a text that is valid. */
export interface Plannable {
  source: string;
  operationName: string | undefined;
}

/** Plans the operations of one supergraph. */
export interface Planner {
  /** What clients see of the supergraph, as SDL. */
  readonly apiSdl: string;
  /** A query plan of Apollo's as JSON; at once, or from another thread. Throws or rejects when there is none. */
  plan(operation: Plannable): string | Promise<string>;
  /** What was begun is finished; then the supergraph is forgotten. */
  close(): void;
}
