import type { ExecutionResult, GraphQLError } from 'graphql';

type Path = readonly (string | number)[];

/**
 * Why our response differs from that of @apollo/gateway; empty when they are equal. The order of fields may differ, since it groups those
 * of one fragment. Errors must explain the same nulls; which of several errors a subgraph reports depends on the text of the fetch, which
 * may differ.
 */
export function inequalities(ours: readonly ExecutionResult[], theirs: readonly ExecutionResult[]): string[] {
  if (ours.length !== theirs.length) return [`${ours.length} results, not ${theirs.length}`];
  return ours.flatMap((result, index) => unequal(result, theirs[index] ?? {}));
}

function unequal(ours: ExecutionResult, theirs: ExecutionResult): string[] {
  const [data, wanted] = [sorted(ours.data), sorted(theirs.data)];
  const missing = (theirs.errors ?? []).filter((error) => !ours.errors?.some((other) => isAboutSame(other, error, ours)));
  // It nulls an invalid null without an error.
  const reported = (ours.errors ?? []).filter(({ message }) => !message.endsWith(SILENT_THERE));
  const more = reported.filter((error) => !theirs.errors?.some((other) => isAboutSame(error, other, ours)));
  return [
    ...(data === wanted ? [] : [`data ${data}\n not ${wanted}`]),
    ...missing.map((error) => `no error about ${subjectOf(error)}`),
    ...more.map((error) => `an error about ${subjectOf(error)}`),
  ];
}

const SILENT_THERE = 'answered with something that does not fit its schema.';

const subjectOf = ({ path = [], message }: GraphQLError): string => `${path.join('.')}: ${message}`;

/** True when our error explains the null of theirs. List positions are not compared: theirs skip what was not selected. */
function isAboutSame(our: GraphQLError, their: GraphQLError, { data }: ExecutionResult): boolean {
  // An error about all entities of a fetch: its path says nothing about the place.
  if (their.path?.includes('_entities')) return our.message === their.message;
  const place = namesOf((our.path ?? []).slice(0, depthOfNull(data, our.path ?? [])));
  const path = namesOf(their.path ?? []);
  return place.every((name, index) => name === path[index]);
}

/** Paths of renamed fields use the names of the plan. */
const namesOf = (path: Path): string[] => path.flatMap((each) => (typeof each === 'string' ? [each.replace(/__alias_\d+$/, '')] : []));

/** Length of the path up to the first null. */
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

/** Errors that a client could not place: about a missing field, without a path, or of an unknown kind. */
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
      if (value === undefined) return [`an error about what is not in the result: ${subjectOf(error)}`];
    }
    return [];
  });
}
