import { GraphQLError } from 'graphql';
import type { Problem } from '#shared/base/errors.ts';
import { entityUnknown, subgraphAnswerInvalid } from '#shared/transport/problem-json.ts';
import type { Path } from './run.ts';

/** The response of a subgraph violates its schema. */
export const invalidResponse = (subgraph: string | undefined, path: Path): GraphQLError => at(path, subgraphAnswerInvalid(subgraph));

/** A subgraph does not know an object that must not be null. */
export const unknownEntity = (subgraph: string, path: Path): GraphQLError => at(path, entityUnknown(subgraph));

const at = (path: Path, problem: Problem): GraphQLError =>
  new GraphQLError(problem.message, { path, originalError: problem, extensions: problem.extensions });

/** The same error at another path. */
export const placed = (error: GraphQLError, path: Path): GraphQLError =>
  new GraphQLError(error.message, { path, originalError: error, extensions: error.extensions });
