import type { ExecutionResult, GraphQLError } from 'graphql';

type Path = readonly (string | number)[];

/**
 * What keeps our answers from being equal to those of @apollo/gateway; empty when nothing does. Fields of an object may follow each other
 * otherwise, since it puts those of one fragment together. Errors must explain the same nulls; which of several errors a subgraph tells,
 * and how, follows from the text of the fetch, which may differ.
 */
export function inequalities(ours: readonly ExecutionResult[], theirs: readonly ExecutionResult[]): string[] {
  if (ours.length !== theirs.length) return [`${ours.length} answers, not ${theirs.length}`];
  return ours.flatMap((answer, index) => unequal(answer, theirs[index] ?? {}));
}

function unequal(ours: ExecutionResult, theirs: ExecutionResult): string[] {
  const [data, wanted] = [sorted(ours.data), sorted(theirs.data)];
  const missing = (theirs.errors ?? []).filter((error) => !ours.errors?.some((other) => isAboutSame(other, error, ours)));
  // It completes a null that may not be one without a word.
  const told = (ours.errors ?? []).filter(({ message }) => !message.endsWith(SILENT_THERE));
  const more = told.filter((error) => !theirs.errors?.some((other) => isAboutSame(error, other, ours)));
  return [
    ...(data === wanted ? [] : [`data ${data}\n not ${wanted}`]),
    ...missing.map((error) => `no error about ${subjectOf(error)}`),
    ...more.map((error) => `an error about ${subjectOf(error)}`),
  ];
}

const SILENT_THERE = 'answered with something that does not fit its schema.';

const subjectOf = ({ path = [], message }: GraphQLError): string => `${path.join('.')}: ${message}`;

/** True when our error explains the null that theirs is about. Positions in lists are not compared: theirs skip what was not asked for. */
function isAboutSame(our: GraphQLError, their: GraphQLError, { data }: ExecutionResult): boolean {
  // About all entities of a fetch together: there only what happened is told, not where.
  if (their.path?.includes('_entities')) return our.message === their.message;
  const place = namesOf((our.path ?? []).slice(0, depthOfNull(data, our.path ?? [])));
  const path = namesOf(their.path ?? []);
  return place.every((name, index) => name === path[index]);
}

/** Where fields had to be renamed, its paths name them as the plan does. */
const namesOf = (path: Path): string[] => path.flatMap((each) => (typeof each === 'string' ? [each.replace(/__alias_\d+$/, '')] : []));

/** How much of the path there is until something is null. */
function depthOfNull(data: unknown, path: Path): number {
  let value = data;
  for (const [depth, key] of path.entries()) {
    if (value === null || value === undefined) return depth;
    value = (value as Record<string, unknown>)[key];
  }
  return path.length;
}

const sorted = (data: unknown): string =>
  JSON.stringify(data, (_key, value: unknown) =>
    isObject(value) ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))) : value,
  );

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Errors that a client could not place: about a field that is not in the answer, about nothing, or of no known kind. */
export function misplacedErrors({ data, errors = [] }: ExecutionResult): string[] {
  // Without data nothing was run: the request itself was refused.
  if (data === undefined) return [];
  return errors.flatMap((error) => {
    if (!error.path) return [`an error without a path: ${error.message}`];
    if (typeof error.extensions['code'] !== 'string' && !error.originalError) return [`an error without a code: ${subjectOf(error)}`];
    let value: unknown = data;
    for (const key of error.path) {
      if (value === null) return [];
      value = (value as Record<string, unknown>)[key];
      if (value === undefined) return [`an error about what is not in the answer: ${subjectOf(error)}`];
    }
    return [];
  });
}
