import { GraphQLError, type ExecutionResult } from 'graphql';
import { invalidResponse, placed, unknownEntity } from './response-errors.ts';
import type { Data, Path, Run } from './run.ts';
import type { Shape, Violation } from './shape.ts';
import type { LoadedSupergraph } from './planning/supergraph.ts';

/** Violations reported per response. */
const MAX_VIOLATIONS = 20;

interface Completion {
  shape: Shape;
  ownerOf: LoadedSupergraph['ownerOf'];
  /** Path of the data in the whole response. */
  at?: Path;
  /** Errors already sent: a null that follows from one needs no further error. */
  explained?: readonly GraphQLError[];
}

/** The response of a run: data in the shape of the operation, and an error for each missing non-null value. */
export function completeResponse(run: Run, source: Data, { shape, ownerOf, at = [], explained = [] }: Completion): ExecutionResult {
  const { data = null, violations } = shape(source);
  const found = violations.map((each) => ({ ...each, path: [...at, ...each.path] }));
  const errors = [
    ...run.errors,
    ...withoutExplained(found, [...pathsOf([...run.errors, ...explained]), ...run.lost.map((field) => [field])], ownerOf),
  ];
  return { data, ...(errors.length > 0 && { errors: withinResponse(errors, data, at.length) }) };
}

/**
 * An error about a field that the client did not select, such as a key that only the plan needs, is reported at the object that lacks it.
 */
function withinResponse(errors: readonly GraphQLError[], data: Data | null, start: number): GraphQLError[] {
  const reported = new Map<string, GraphQLError>();
  for (const error of errors) {
    const path = pathInData(error.path ?? [], data, start);
    const isComplete = path.length === error.path?.length;
    reported.set(`${JSON.stringify(path)} ${error.message}`, isComplete ? error : placed(error, path));
  }
  const all = [...reported.values()];
  const inside = all.filter(({ path }) => path?.length);
  return inside.length > 0 ? inside : all;
}

/** The part of a path that the response holds. A null ends it too. */
function pathInData(path: Path, data: unknown, start: number): Path {
  let value = data;
  for (const [depth, key] of path.entries()) {
    if (depth < start) continue;
    if (value === null) return path;
    if (typeof value !== 'object' || !Object.hasOwn(value as Data, key)) return path.slice(0, depth);
    value = (value as Data)[key];
  }
  return path;
}

const pathsOf = (errors: readonly GraphQLError[]): Path[] => errors.map(({ path = [] }) => path);

/** A null that follows from an error needs no second error. */
function withoutExplained(
  violations: readonly Violation[],
  reported: readonly Path[],
  ownerOf: LoadedSupergraph['ownerOf'],
): GraphQLError[] {
  const known = reported.map(namesOf);
  return violations
    .filter(({ path }) => !known.some((each) => isPrefix(each, namesOf(path)) || isPrefix(namesOf(path), each)))
    .slice(0, MAX_VIOLATIONS)
    .map((violation) => errorOf(violation, ownerOf(violation.coordinate)));
}

/** Blames the subgraph that owns the field, unless a subgraph does not know the object itself. */
function errorOf({ path, unknownTo }: Violation, owner: string | undefined): GraphQLError {
  if (!unknownTo) return invalidResponse(owner, path);
  return unknownEntity(unknownTo.find((each) => each === owner) ?? unknownTo[0]!, path);
}

/** Without list positions: of a thousand errors in one list, only the first are reported. */
const namesOf = (path: Path): string[] => path.filter((each) => typeof each === 'string');

const isPrefix = (short: readonly string[], long: readonly string[]): boolean => short.every((each, index) => each === long[index]);
