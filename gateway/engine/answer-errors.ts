import { GraphQLError } from 'graphql';
import { Problem } from '../../shared/errors.ts';
import type { Path } from './run.ts';

/** A subgraph answered, but not what its schema promises. */
export function invalidAnswer(subgraph: string | undefined, path: Path): GraphQLError {
  const who = subgraph === undefined ? 'A service' : `The ${subgraph} service`;
  const problem = new Problem('SUBGRAPH_ANSWER_INVALID', `${who} answered with something that does not fit its schema.`, {
    retryable: true,
    ...(subgraph !== undefined && { subgraph }),
  });
  return new GraphQLError(problem.message, { path, originalError: problem, extensions: problem.extensions });
}

/** The same error at another place of the answer. */
export const placed = (error: GraphQLError, path: Path): GraphQLError =>
  new GraphQLError(error.message, { path, originalError: error, extensions: error.extensions });
