import { GraphQLError } from 'graphql';
import { subgraphAnswerInvalid } from '../../shared/wire.ts';
import type { Path } from './run.ts';

/** A subgraph answered, but not what its schema promises. */
export function invalidAnswer(subgraph: string | undefined, path: Path): GraphQLError {
  const problem = subgraphAnswerInvalid(subgraph);
  return new GraphQLError(problem.message, { path, originalError: problem, extensions: problem.extensions });
}

/** The same error at another place of the answer. */
export const placed = (error: GraphQLError, path: Path): GraphQLError =>
  new GraphQLError(error.message, { path, originalError: error, extensions: error.extensions });
