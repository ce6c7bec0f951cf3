import type { Schema } from 'mongoose';

/** Operations of a query that change or remove rows. */
const CHANGES = [
  'updateOne',
  'updateMany',
  'replaceOne',
  'deleteOne',
  'deleteMany',
  'findOneAndUpdate',
  'findOneAndReplace',
  'findOneAndDelete',
] as const;

/** A fault of the code that asked: no client can be told anything of use. */
class AppendOnlyError extends Error {
  constructor(operation: string) {
    super(`${operation} is refused: these rows are only ever added.`);
    this.name = 'AppendOnlyError';
  }
}

/** What a bulk write may hold. */
const INSERT = 'insertOne';

/**
 * A plugin for rows that stand for ever as they were written, such as entries of a ledger or an audit: every update, replacement and removal
 * through the model fails before it reaches the store. A mistake is corrected by another row. Only the driver's own collection, and an operation that
 * says `middleware: false`, get past it.
 */
export function appendOnly(schema: Schema): void {
  const refuse = (operation: string) => (): never => {
    throw new AppendOnlyError(operation);
  };
  for (const operation of CHANGES) {
    schema.pre(operation, { query: true, document: false }, refuse(operation));
  }
  for (const operation of ['updateOne', 'deleteOne'] as const) schema.pre(operation, { query: false, document: true }, refuse(operation));
  schema.pre('save', function onlyNew() {
    if (!this.isNew) refuse('save')();
  });
  schema.pre('bulkWrite', (operations: readonly object[]) => {
    const other = operations.flatMap((each) => Object.keys(each)).find((operation) => operation !== INSERT);
    if (other) refuse(other)();
  });
}
