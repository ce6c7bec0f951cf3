import { GraphQLError, type ExecutionResult } from 'graphql';
import { invalidAnswer, placed, unknownEntity } from './response-errors.ts';
import type { Data, Path, Run } from './run.ts';
import type { Shape, Violation } from './shape.ts';
import type { LoadedSupergraph } from './planning/supergraph.ts';

/** What is wrong in one answer in many places is told in a few. */
const MAX_VIOLATIONS = 20;

interface Completion {
  shape: Shape;
  ownerOf: LoadedSupergraph['ownerOf'];
  /** Where the data stand in the whole answer. */
  at?: Path;
  /** What was told before: a null that follows from it needs no error either. */
  explained?: readonly GraphQLError[];
}

/** The answer of a run: data in its shape, and an error wherever something is missing that should be there. */
export function completeAnswer(run: Run, source: Data, { shape, ownerOf, at = [], explained = [] }: Completion): ExecutionResult {
  const { data = null, violations } = shape(source);
  const found = violations.map((each) => ({ ...each, path: [...at, ...each.path] }));
  const errors = [
    ...run.errors,
    ...unexplained(found, [...pathsOf([...run.errors, ...explained]), ...run.lost.map((field) => [field])], ownerOf),
  ];
  return { data, ...(errors.length > 0 && { errors: withinAnswer(errors, data, at.length) }) };
}

/** Errors about what the client did not ask for, such as a key that only the plan needs, are about the object that misses it. */
function withinAnswer(errors: readonly GraphQLError[], data: Data | null, start: number): GraphQLError[] {
  const told = new Map<string, GraphQLError>();
  for (const error of errors) {
    const path = answeredPart(error.path ?? [], data, start);
    const isWhole = path.length === error.path?.length;
    told.set(`${JSON.stringify(path)} ${error.message}`, isWhole ? error : placed(error, path));
  }
  const all = [...told.values()];
  const inside = all.filter(({ path }) => path?.length);
  return inside.length > 0 ? inside : all;
}

/** As much of the path as the answer holds: a null ends it as well as may be. */
function answeredPart(path: Path, data: unknown, start: number): Path {
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

/** A null that follows from an error needs no second one. */
function unexplained(violations: readonly Violation[], told: readonly Path[], ownerOf: LoadedSupergraph['ownerOf']): GraphQLError[] {
  const known = told.map(namesOf);
  return violations
    .filter(({ path }) => !known.some((each) => isPrefix(each, namesOf(path)) || isPrefix(namesOf(path), each)))
    .slice(0, MAX_VIOLATIONS)
    .map((violation) => errorOf(violation, ownerOf(violation.coordinate)));
}

/** Who promised the field is at fault, unless somebody was asked for the object it is about and does not know it. */
function errorOf({ path, unknownTo }: Violation, owner: string | undefined): GraphQLError {
  if (!unknownTo) return invalidAnswer(owner, path);
  return unknownEntity(unknownTo.find((each) => each === owner) ?? unknownTo[0]!, path);
}

/** Without list positions: of a thousand errors of one list, only the first are told. */
const namesOf = (path: Path): string[] => path.filter((each) => typeof each === 'string');

const isPrefix = (short: readonly string[], long: readonly string[]): boolean => short.every((each, index) => each === long[index]);
