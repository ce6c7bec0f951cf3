import type { ExecutionResult, GraphQLError } from 'graphql';
import { invalidAnswer } from './answer-errors.ts';
import type { Data, Path, Run } from './run.ts';
import type { Shape, Violation } from './shape.ts';
import type { LoadedSupergraph } from './supergraph.ts';

/** What is wrong in one answer in many places is told in a few. */
const MAX_VIOLATIONS = 20;

/** The answer of a run: data in its shape, and an error wherever something is missing that should be there. */
export function completeAnswer(run: Run, data: Data, shape: Shape, ownerOf: LoadedSupergraph['ownerOf']): ExecutionResult {
  const shaped = shape(data);
  const errors = run.errors;
  if (shaped.violations.length > 0) errors.push(...unexplained(shaped.violations, errors, ownerOf));
  return { data: shaped.data ?? null, ...(errors.length > 0 && { errors }) };
}

/** A null that follows from an error needs no second one. */
function unexplained(
  violations: readonly Violation[],
  errors: readonly GraphQLError[],
  ownerOf: LoadedSupergraph['ownerOf'],
): GraphQLError[] {
  const known = errors.map(({ path }) => namesOf(path ?? []));
  return violations
    .filter(({ path }) => !known.some((each) => isPrefix(each, namesOf(path)) || isPrefix(namesOf(path), each)))
    .slice(0, MAX_VIOLATIONS)
    .map(({ path, coordinate }) => invalidAnswer(ownerOf(coordinate), path));
}

/** Without list positions: of a thousand errors of one list, only the first are told. */
const namesOf = (path: Path): string[] => path.filter((each) => typeof each === 'string');

const isPrefix = (short: readonly string[], long: readonly string[]): boolean => short.every((each, index) => each === long[index]);
